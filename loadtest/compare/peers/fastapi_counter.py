"""A first version of the counter in FastAPI and SQLite: what a good team has after a week. One process, fast libraries.

It looks the session up, parses and validates the application, refuses a second one of the same person, answers the same
key with the same receipt, and commits and syncs the record before it replies. It has no rules, signatures, encryption,
limits or audit trail, so it does less than Sportello.

    python fastapi_counter.py PORT CERTIFICATE KEY SESSIONS DATABASE
"""

import hashlib
import secrets
import sqlite3
import sys
from datetime import date
from typing import Annotated, Literal

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

PORT, CERTIFICATE, KEY, SESSIONS, DATABASE = sys.argv[1:]
SCHEMA = """
CREATE TABLE IF NOT EXISTS applications (
    receipt TEXT PRIMARY KEY, person TEXT NOT NULL UNIQUE, key TEXT NOT NULL, digest TEXT NOT NULL,
    received_on TEXT NOT NULL, body BLOB NOT NULL
) STRICT
"""

with open(SESSIONS) as file:
    people = {token: (code, visit) for code, token, visit in (line.split() for line in file)}
# One connection on the event loop: no hand-over to another thread, no lock.
database = sqlite3.connect(DATABASE, isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute(SCHEMA)

Amount = Annotated[str, Field(pattern=r"^\d{1,9}\.\d{2}$")]
Year = Annotated[int, Field(ge=2000, le=2100)]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Applicant(Form):
    fiscalCode: str = Field(pattern=r"^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$")
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    phone: str = Field(pattern=r"^\+?\d{6,15}$")


class Activity(Form):
    vatNumber: str = Field(pattern=r"^\d{11}$")
    vatOpenedOn: date
    kind: Literal["individual", "associatedPractice", "simplePartnership"]


class Income(Form):
    year: Year
    line: Literal["RE", "RH", "LM"]
    amount: Amount


class Standing(Form):
    separateManagement: bool
    directPension: bool
    invalidityAllowance: bool
    otherCompulsoryInsurance: bool
    inclusionAllowance: bool
    unemploymentBenefit: Literal["none", "naspi", "disColl", "alas"]
    politicalOffice: Literal["none", "attendanceFee", "paid"]
    contributionsRegular: bool | None


class Payment(Form):
    iban: str = Field(pattern=r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$")


class Consents(Form):
    truthOfStatements: Literal[True]
    siislSharing: Literal[True]


class EarlierBenefit(Form):
    begunIn: Year


class Application(Form):
    scheme: Literal["iscro"]
    year: Year
    applicant: Applicant
    activity: Activity
    incomes: list[Income] = Field(min_length=3, max_length=4)
    certifiedIncome: Amount | None = None
    standing: Standing
    taxScheme: Literal["ordinary", "flatRate"]
    payment: Payment
    consents: Consents
    earlierBenefits: list[EarlierBenefit] = Field(default=[], max_length=20)


class Receipt(BaseModel):
    receipt: str
    state: Literal["received"]
    receivedOn: str
    digest: str


app = FastAPI(docs_url=None, redoc_url=None)


@app.post("/v1/sessions/{visit}/applications", status_code=201)
async def submit(
    visit: str, application: Application, request: Request, response: Response,
    authorization: Annotated[str, Header()], idempotency_key: Annotated[str, Header(max_length=64)],
) -> Receipt:
    session = people.get(authorization.removeprefix("Bearer "))
    if session is None:
        raise HTTPException(401, "no such session")
    person, own_visit = session
    if visit != own_visit:
        raise HTTPException(404, "not found")
    if application.applicant.fiscalCode != person:
        raise HTTPException(403, "not yours")
    body = await request.body()
    digest = hashlib.sha256(body).hexdigest()
    known = database.execute(
        "SELECT receipt, key, digest, received_on FROM applications WHERE person = ?", (person,)
    ).fetchone()
    if known is None:
        receipt, received_on = f"ISCRO-{application.year}-{secrets.token_hex(8).upper()}", date.today().isoformat()
        database.execute(
            "INSERT INTO applications VALUES (?, ?, ?, ?, ?, ?)",
            (receipt, person, idempotency_key, digest, received_on, body),
        )
    else:
        receipt, key, digest_then, received_on = known
        if key != idempotency_key:
            raise HTTPException(409, "already applied")
        if digest_then != digest:
            raise HTTPException(422, "another application had this key")
    response.headers["Location"] = f"/v1/sessions/{visit}/applications/{receipt}"
    return Receipt(receipt=receipt, state="received", receivedOn=received_on, digest=f"sha-256={digest}")


uvicorn.run(app, host="127.0.0.1", port=int(PORT), loop="uvloop", http="httptools", backlog=4096, access_log=False,
            log_level="warning", timeout_keep_alive=600, ssl_certfile=CERTIFICATE, ssl_keyfile=KEY)
