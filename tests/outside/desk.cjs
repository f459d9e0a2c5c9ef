// A citizen's whole way in Chromium, without JavaScript of the page: sign in, apply step by step, faults, check, receipt,
// withdrawal, sign out. Prints every fault: node desk.cjs SERVER
"use strict";
const { inEachView, server } = require("./walk.cjs");

/** Fills in one step after it was sent empty, so that its faults are seen too. */
async function step(walk, heading, fill) {
  await walk.look(heading);
  await walk.press("Salva e continua", "Save and continue");
  if (fill) {
    await walk.look(heading);
    await walk.shows(walk.say("C'è un problema", "There is a problem"));
    await fill(walk.page);
    await walk.press("Salva e continua", "Save and continue");
  }
}

async function apply(walk) {
  const { page } = walk;
  await step(walk, ["I tuoi contatti", "How to reach you"], async () => {
    await page.fill("[name='applicant.email']", "mario@example.it");
    await page.fill("[name='applicant.phone']", "06 1234 5678");
  });
  await step(walk, ["La tua attività", "Your activity"], async () => {
    await page.fill("[name='activity.vatNumber']", "IT 00743110157");
    await page.fill("[name='activity.vatOpenedOn']", "1/3/2015");
    await page.check("[name='activity.kind'][value='individual']");
    await page.check("[name='taxScheme'][value='flatRate']");
  });
  await walk.look(["I tuoi redditi da lavoro autonomo", "Your income from self-employment"]);
  for (const [year, amount] of [[2023, "3000"], [2022, "5000"], [2021, "6000"]]) {
    await page.fill(`[name='incomes.${year}.amount']`, amount);
    if (year !== 2021) await page.check(`[name='incomes.${year}.line'][value='RE']`);
  }
  await walk.press("Salva e continua", "Save and continue");
  await walk.look(["I tuoi redditi da lavoro autonomo", "Your income from self-employment"]);
  await page.check("[name='incomes.2021.line'][value='RE']");
  await walk.press("Salva e continua", "Save and continue");
  await step(walk, ["La tua situazione oggi", "Your situation today"], async () => {
    await page.check("[name='standing.separateManagement'][value='true']");
    for (const name of ["directPension", "invalidityAllowance", "otherCompulsoryInsurance", "inclusionAllowance"]) {
      await page.check(`[name='standing.${name}'][value='false']`);
    }
    await page.check("[name='standing.unemploymentBenefit'][value='none']");
    await page.check("[name='standing.politicalOffice'][value='none']");
    await page.check("[name='standing.contributionsRegular'][value='true']");
  });
  await step(walk, ["Hai già avuto l'ISCRO?", "Have you received ISCRO before?"]);
  await step(walk, ["Dove vuoi ricevere i soldi", "Where to pay you"], async () => {
    await page.fill("[name='payment.iban']", "it60 x054 2811 1010 0000 0123 456");
  });
  await walk.look(["Dichiarazioni", "Statements"]);
  await page.check("[name='consents.truthOfStatements']");
  await page.check("[name='consents.siislSharing']");
  await walk.press("Salva e continua", "Save and continue");
}

async function citizen(walk) {
  const { page } = walk;
  await page.goto(`${server}/${walk.view.language}`);
  await walk.look(["Lo sportello adesso", "The counter now"]);
  await walk.follow("Accedi", "Sign in");
  await walk.look(["Accedi", "Sign in"]);
  await walk.press("la cui domanda è accolta", "whose application is granted");
  await walk.look(["Hai effettuato l'accesso", "You are signed in"]);
  await walk.follow("Sì, continua", "Yes, continue");
  await walk.look(["Le mie domande", "My applications"]);
  await walk.follow("Inizia la domanda", "Begin the application");
  await walk.look(["ISCRO 2024"]);
  await walk.follow("Ho letto e compreso", "I have read and understood");
  await apply(walk);
  await walk.look(["Controlla le tue risposte", "Check your answers"]);
  await walk.shows(walk.say("687,50 € al mese", "€687.50 a month"));
  await walk.follow("Modifica Dove vuoi", "Change Where to pay");
  await walk.look(["Dove vuoi ricevere i soldi", "Where to pay you"]);
  await page.fill("[name='payment.iban']", "IT60X0542811101000000123457");
  await walk.press("Salva e continua", "Save and continue");
  await walk.look(["Dove vuoi ricevere i soldi", "Where to pay you"]);
  await page.goto(page.url().replace("payment/change", "check"));
  await walk.look(["Controlla le tue risposte", "Check your answers"]);
  await walk.shows(walk.say("C'è un problema", "There is a problem"));
  await page.goto(page.url().replace("check", "payment/change"));
  await page.fill("[name='payment.iban']", "IT60X0542811101000000123456");
  await walk.press("Salva e continua", "Save and continue");
  await walk.press("Invia la domanda", "Submit the application");
  await walk.look(["Abbiamo ricevuto la tua domanda", "We have received your application"]);
  await page.waitForTimeout(1000);
  await page.goto(page.url());
  await walk.look(["Abbiamo ricevuto la tua domanda", "We have received your application"]);
  await walk.shows(walk.say("domanda accolta", "granted"));
  const application = page.url();
  const other = walk.view.language === "it" ? "English" : "Italiano";
  await page.getByRole("link", { name: other, exact: true }).click();
  await page.goto(application);
  await walk.follow("Deleghe", "Mandates");
  await walk.look(["Deleghe", "Mandates"]);
  await walk.follow("Chi ha visto i miei dati", "Who saw my data");
  // Once a minute at most: who asks again is told when to come back.
  await walk.look(["Chi ha visto i miei dati", "Who saw my data", "Troppe richieste", "Too many requests"]);
  await page.goto(application);
  await walk.follow("Ritira la domanda", "Withdraw the application");
  await walk.look(["Vuoi ritirare la domanda?", "Withdraw the application?"]);
  await walk.press("Ritira la domanda", "Withdraw the application");
  await walk.look(["Domanda ritirata", "Application withdrawn"]);
  await walk.follow("Le mie domande", "My applications");
  await walk.look(["Le mie domande", "My applications"]);
  await walk.press("Esci", "Sign out");
  await walk.look(["Lo sportello adesso", "The counter now"]);
  const cookies = await walk.context.cookies();
  if (cookies.length > 0) walk.fault("a cookie is left after signing out");
  await page.goBack();
  await walk.look(["Questa visita è terminata", "This visit has ended"]);
  for (const article of ["help", "privacy", "accessibility", "legal"]) {
    await page.goto(`${server}/${walk.view.language}/${article}`);
    await walk.look(await page.locator("h1").innerText());
  }
}

inEachView(citizen);
