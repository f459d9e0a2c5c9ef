"""ISCRO 2024 in OpenFisca: reads cases from a file and answers commands, one a line, on standard input.

check       the outcome, monthly amount and withheld tax (cents) of every case, as JSON
one N       nanoseconds of processor time a decision, N cases one after the other, each a situation of its own
all N       nanoseconds of processor time a decision, N persons in one vector
"""

import json
import sys
import time

import numpy
from openfisca_core.entities import build_entity
from openfisca_core.periods import DateUnit
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

YEAR = "2024"
OUTCOMES = ["refused", "review", "pending", "granted"]
INPUTS = {
    "day": int, "last": int, "second": int, "third": int, "vatOpenedOn": int, "contributions": int,
    "unemploymentBenefit": int, "politicalOffice": int, "lastBegunIn": int, "separateManagement": bool,
    "directPension": bool, "otherInsurance": bool, "inclusionAllowance": bool, "truthOfStatements": bool,
    "siislSharing": bool, "flatRate": bool,
}
person = build_entity(key="person", plural="persons", label="", is_person=True)


def variable(name, kind, formula=None):
    members = {"value_type": kind, "entity": person, "definition_period": DateUnit.YEAR, "label": name}
    if formula is not None:
        members["formula"] = formula
    return type(name, (Variable,), members)


def vat_age(persons, period):
    opened = persons("vatOpenedOn", period)
    return opened - (opened % 10000 == 229) + 30000 <= persons("day", period)


def loss(persons, period):
    return (persons("last", period) < 0) | (persons("second", period) < 0) | (persons("third", period) < 0)


def outcome(persons, period):
    get = lambda name: persons(name, period)
    certain = ["window", "requireSeparateManagement", "noDirectPension", "noOtherInsurance", "incomeCeiling", "vatAge",
               "noIncompatibleBenefit", "noPaidOffice", "notBarred", "consents"]
    met = (get("incomeDrop") | get("loss")) & (get("contributions") != 0)
    for name in certain:
        met = met & get(name)
    return numpy.where(~met, 0, numpy.where(get("loss"), 1, numpy.where(get("contributions") == 2, 2, 3)))


def monthly(persons, period):
    amount = (persons("second", period) + persons("third", period) + 8) // 16
    return numpy.where(persons("outcome", period) == 3, numpy.clip(amount, 25000, 80000), 0)


def withheld(persons, period):
    taxed = (persons("outcome", period) == 3) & ~persons("flatRate", period)
    return numpy.where(taxed, (2 * persons("monthly", period) + 5) // 10, 0)


FORMULAS = {
    "window": lambda p, t: (p("day", t) >= 20240801) & (p("day", t) <= 20241031),
    "requireSeparateManagement": lambda p, t: p("separateManagement", t),
    "noDirectPension": lambda p, t: ~p("directPension", t),
    "noOtherInsurance": lambda p, t: ~p("otherInsurance", t),
    "incomeDrop": lambda p, t: 20 * p("last", t) < 7 * (p("second", t) + p("third", t)),
    "incomeCeiling": lambda p, t: p("last", t) <= 1200000,
    "vatAge": vat_age,
    "contributionsRegular": lambda p, t: p("contributions", t) == 1,
    "noIncompatibleBenefit": lambda p, t: ~p("inclusionAllowance", t) & (p("unemploymentBenefit", t) == 0),
    "noPaidOffice": lambda p, t: p("politicalOffice", t) != 2,
    "notBarred": lambda p, t: p("lastBegunIn", t) < 2024,
    "consents": lambda p, t: p("truthOfStatements", t) & p("siislSharing", t),
    "loss": loss,
}
RESULTS = {"outcome": outcome, "monthly": monthly, "withheld": withheld}

system = TaxBenefitSystem([person])
for name, kind in INPUTS.items():
    system.add_variable(variable(name, kind))
for name, formula in FORMULAS.items():
    # OpenFisca passes arguments by position and looks at their number, so a lambda will do.
    system.add_variable(variable(name, bool, (lambda f: lambda persons, period: f(persons, period))(formula)))
for name, formula in RESULTS.items():
    system.add_variable(variable(name, int, formula))


def decide_all(columns, count):
    simulation = SimulationBuilder().build_default_simulation(system, count)
    for name, values in columns.items():
        simulation.set_input(name, YEAR, values)
    for name in FORMULAS:
        simulation.calculate(name, YEAR)
    return [simulation.calculate(name, YEAR) for name in RESULTS]


def decide_one(case):
    situation = {"persons": {"someone": {name: {YEAR: value} for name, value in case.items()}}}
    simulation = SimulationBuilder().build_from_entities(system, situation)
    for name in FORMULAS:
        simulation.calculate(name, YEAR)
    return [simulation.calculate(name, YEAR)[0] for name in RESULTS]


def columns_of(cases):
    return {name: numpy.array([case[name] for case in cases], dtype=kind) for name, kind in INPUTS.items()}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "check":
            outcomes, monthlies, withhelds = decide_all(columns_of(cases), len(cases))
            told = [[OUTCOMES[o], int(m), int(w)] for o, m, w in zip(outcomes, monthlies, withhelds)]
            assert told[0] == [OUTCOMES[decide_one(cases[0])[0]], *map(int, decide_one(cases[0])[1:])]
            print(json.dumps(told), flush=True)
            continue
        count = int(rest[0])
        chosen = [cases[place % len(cases)] for place in range(count)]
        columns = columns_of(chosen)
        start = time.process_time_ns()
        if command == "one":
            for case in chosen:
                decide_one(case)
        else:
            decide_all(columns, count)
        print((time.process_time_ns() - start) / count, flush=True)


main()
