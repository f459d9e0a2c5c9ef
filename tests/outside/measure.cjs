// Measures what a new citizen does to get from the home page to a receipt, in Chromium without scripts, and prints a table:
// node measure.cjs SERVER-OF-ISCRO SERVER-OF-THE-ALLOWANCE
//
// Counted are clicks (links, buttons, choices, fields), answers, keys, page loads, requests, and bytes that the browser
// receives, heads included and TLS apart. Times are those of the keystroke-level model (Card, Moran and Newell, 1983): 0.28 s
// a key, as an average typist, and 1.3 s to point and click; reading and thinking come on top.
"use strict";
const { chromium } = require("playwright-core");

const [iscro, allowance] = process.argv.slice(2);
const KEY_SECONDS = 0.28;
const CLICK_SECONDS = 1.3;

class Meter {
  constructor(page) {
    this.page = page;
    this.counts = { clicks: 0, answers: 0, keys: 0, pages: 0, requests: 0, bytes: 0 };
  }

  static async open(context) {
    const meter = new Meter(await context.newPage());
    const { counts } = meter;
    meter.page.on("load", () => (counts.pages += 1));
    const wire = await context.newCDPSession(meter.page);
    await wire.send("Network.enable");
    wire.on("Network.requestWillBeSent", ({ request, redirectResponse }) => {
      if (!request.url.startsWith("data:")) counts.requests += 1;
      if (redirectResponse) counts.bytes += redirectResponse.encodedDataLength;
    });
    wire.on("Network.requestServedFromCache", () => (counts.requests -= 1));
    wire.on("Network.responseReceived", ({ response }) => {
      if (response.fromDiskCache) counts.requests -= 1;
    });
    wire.on("Network.loadingFinished", ({ encodedDataLength }) => (counts.bytes += encodedDataLength));
    return meter;
  }

  async click(role, name) {
    this.counts.clicks += 1;
    const loaded = this.page.waitForEvent("load");
    await this.page.getByRole(role, { name }).first().click();
    await loaded;
  }

  /** Types into fields, and chooses answers. */
  async answer(typed, chosen = {}) {
    for (const [name, text] of Object.entries(typed)) {
      await this.page.locator(`[name='${name}']`).fill(text);
      this.counts.keys += text.length;
    }
    for (const [name, value] of Object.entries(chosen)) {
      await this.page.check(`[name='${name}'][value='${value}']`);
    }
    const answers = Object.keys(typed).length + Object.keys(chosen).length;
    this.counts.answers += answers;
    this.counts.clicks += answers;
    await this.click("button", "Salva e continua");
  }

  async sign(server) {
    await this.page.goto(`${server}/it`);
    await this.click("link", "Accedi");
    await this.click("button", "la cui domanda è accolta");
    await this.click("link", "Sì, continua");
    await this.click("link", "Inizia la domanda");
    await this.click("link", "Ho letto e compreso");
    await this.answer({ "applicant.email": "mario@example.it", "applicant.phone": "3331234567" });
  }

  async submit(statements) {
    await this.answer({ "payment.iban": "IT60X0542811101000000123456" });
    await this.answer({}, Object.fromEntries(statements.map((name) => [`consents.${name}`, "true"])));
    await this.click("button", "Invia la domanda");
    const heading = await this.page.locator("h1").innerText();
    if (heading !== "Abbiamo ricevuto la tua domanda") throw new Error(heading);
  }
}

async function forIscro(meter) {
  await meter.sign(iscro);
  await meter.answer(
    { "activity.vatNumber": "00743110157", "activity.vatOpenedOn": "1/3/2015" },
    { "activity.kind": "individual", taxScheme: "flatRate" },
  );
  const years = [2023, 2022, 2021];
  const amounts = years.map((year, at) => [`incomes.${year}.amount`, ["3000", "5000", "6000"][at]]);
  const lines = years.map((year) => [`incomes.${year}.line`, "LM"]);
  await meter.answer(Object.fromEntries(amounts), Object.fromEntries(lines));
  await meter.answer({}, {
    "standing.separateManagement": "true",
    "standing.directPension": "false",
    "standing.invalidityAllowance": "false",
    "standing.otherCompulsoryInsurance": "false",
    "standing.inclusionAllowance": "false",
    "standing.unemploymentBenefit": "none",
    "standing.politicalOffice": "none",
    "standing.contributionsRegular": "true",
  });
  await meter.answer({});
  await meter.submit(["truthOfStatements", "siislSharing"]);
}

async function forTheAllowance(meter) {
  await meter.sign(allowance);
  await meter.answer({}, { category: "professional" });
  await meter.answer(
    { "facts.vatNumber": "00743110157", "facts.vatOpenedOn": "1/3/2015" },
    {
      "facts.separateManagement": "true",
      "facts.otherCompulsoryInsurance": "false",
      "facts.directPension": "false",
      "facts.citizensIncome": "false",
    },
  );
  await meter.submit(["truthOfStatements"]);
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  console.log("| application | clicks | answers | keys | page loads | requests | KB received | hands, s |");
  console.log("|---|---|---|---|---|---|---|---|");
  for (const [name, go] of [["ISCRO 2024", forIscro], ["600 euro, a professional", forTheAllowance]]) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: "it-IT" });
    context.setDefaultTimeout(15000);
    const meter = await Meter.open(context);
    await go(meter);
    const { clicks, answers, keys, pages, requests, bytes } = meter.counts;
    const hands = Math.round(clicks * CLICK_SECONDS + keys * KEY_SECONDS);
    console.log(`| ${name} | ${clicks} | ${answers} | ${keys} | ${pages} | ${requests} | ${Math.round(bytes / 1000)} | ${hands} |`);
    await context.close();
  }
  await browser.close();
}

main().catch((fault) => {
  console.log(fault);
  process.exit(1);
});
