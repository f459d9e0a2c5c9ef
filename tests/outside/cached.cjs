// A citizen applies in Chromium behind a cache that ignores every header: node cached.cjs SERVER
//
// The straight way works, because no address is asked for twice. What was sent once is not sent again: the page of a fault
// stays, with what was typed first, and no page speaks of a receipt that there is not.
"use strict";
const { inEachView, server } = require("./walk.cjs");

const VIEW = { name: "behind a cache", language: "it", width: 320, colorScheme: "light", scripts: false };
const RECEIVED = "Abbiamo ricevuto la tua domanda";

async function behind(walk) {
  const { page } = walk;
  await page.goto(`${server}/it`);
  await walk.follow("Accedi", "Sign in");
  await walk.press("la cui domanda è accolta", "whose application is granted");
  await walk.look(["Hai effettuato l'accesso"]);
  await walk.shows("RSS***********1U");
  await walk.follow("Sì, continua", "Yes, continue");
  const applications = page.url();
  await walk.follow("Inizia la domanda", "Begin the application");
  const notice = page.url();
  await walk.follow("Ho letto e compreso", "I have read and understood");
  for (const typed of ["nobody", "one@example.it"]) {
    await page.fill("[name='applicant.email']", typed);
    await walk.press("Salva e continua", "Save and continue");
    await walk.look(["I tuoi contatti"]);
    await walk.shows("C'è un problema");
    if ((await page.inputValue("[name='applicant.email']")) !== "nobody") walk.fault("another page than the kept one");
  }
  await page.goto(notice);
  await walk.press("Compila con un esempio", "Fill in an example");
  await walk.look(["Controlla le tue risposte"]);
  await walk.press("Invia la domanda", "Submit the application");
  await walk.look([RECEIVED]);
  await walk.shows("ISCRO-2024-");
  await page.goto(applications);
  await walk.look(["Le mie domande"]);
  await walk.press("Esci", "Sign out");
  await walk.look(["Lo sportello adesso"]);
}

inEachView(behind, { views: [VIEW] });
