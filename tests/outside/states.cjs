// The states of pages that nobody sees on the straight way, each inspected in every way of looking at it: closed, full,
// faulty, refused, ended, changed elsewhere. Prints every fault: node states.cjs it|en COUNTERS
//
// COUNTERS is a JSON object: the URLs of servers by what is special about them.
"use strict";
const { inEachView } = require("./walk.cjs");

const [language, counters] = [process.argv[2], JSON.parse(process.argv[3])];
const VIEWS = [
  { name: "without scripts", language: "it", width: 320, colorScheme: "light", scripts: false },
  { name: "with scripts", language: "en", width: 1280, colorScheme: "dark", scripts: true },
];
const PEOPLE = {
  granted: ["la cui domanda è accolta", "whose application is granted"],
  refused: ["la cui domanda è respinta", "whose application is refused"],
  pending: ["attende un altro archivio", "waits for another register"],
  intermediary: ["lavora per un patronato", "works for a patronato"],
};
const MASKED = { granted: "RSS***********1U", refused: "VRD***********5B", pending: "BNC***********9I" };
const HOME = ["Lo sportello adesso", "The counter now"];
const SIGNED_IN = ["Hai effettuato l'accesso", "You are signed in"];
const MINE = ["Le mie domande", "My applications"];
const CHECK = ["Controlla le tue risposte", "Check your answers"];
const RECEIVED = ["Abbiamo ricevuto la tua domanda", "We have received your application"];
const ENDED = ["Questa visita è terminata", "This visit has ended"];
const CONTACTS = ["I tuoi contatti", "How to reach you"];
const WAITING = ["Sei in sala d'attesa", "You are in the waiting room"];
const PROBLEM = ["C'è un problema", "There is a problem"];
const SAVE = ["Salva e continua", "Save and continue"];
const SUBMIT = ["Invia la domanda", "Submit the application"];
const UNKNOWN = "ISCRO-2024-7K3M-9QXT-B2FD-0YHR";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function signIn(walk, server, who) {
  await walk.page.goto(`${server}/${language}/signin`);
  await walk.press(...PEOPLE[who]);
}

/** The path of a page of the visit. */
const at = (walk, rest) => walk.page.url().replace(/^(.*\/visit\/[^/]+\/)..\/.*$/, `$1${language}${rest}`);

/** Signs in, and goes to a page of the visit. */
async function enter(walk, server, who, rest) {
  await signIn(walk, server, who);
  await walk.page.goto(at(walk, rest));
}

async function fillIn(walk, scheme) {
  await walk.page.goto(at(walk, `/apply/${scheme}`));
  await walk.press("Compila con un esempio", "Fill in an example");
}

/** Fills in the demo's answers and submits them; the page of the decision. */
async function applyAs(walk, who) {
  await enter(walk, counters.always, who, "/applications");
  await fillIn(walk, "iscro");
  await walk.look(CHECK);
  await walk.press(...SUBMIT);
  const there = walk.page.url();
  await pause(1000);
  await walk.page.goto(there);
  await walk.look(RECEIVED);
  return there;
}

async function closed(walk) {
  const { page } = walk;
  await page.goto(`${counters.morning}/${language}`);
  await walk.look(HOME);
  await walk.shows(walk.say("Chiuso.", "Closed."));
  await walk.follow("Accedi", "Sign in");
  await walk.look(["Accedi", "Sign in"]);
  await walk.press(...PEOPLE.granted);
  await walk.look(["Fascia oraria chiusa", "Time slice closed"]);
  await walk.shows(walk.say("Apre martedì 17 settembre 2024 alle 16:00", "Opens Tuesday 17 September 2024 at 16:00"));
  await enter(walk, counters.winter, "granted", "/applications");
  await walk.look(MINE);
  await page.goto(at(walk, "/apply/iscro"));
  await walk.look(["Campagna non aperta", "Campaign not open"]);
  await page.goto(`${counters.always}/nowhere`, { referer: `${counters.always}/${language}` });
  await walk.look(["Non trovato", "Not found"]);
}

/** The heading once it is another one than before; nothing asks for the page but itself. */
async function changed(walk, from) {
  for (let tries = 0; tries < 100; tries += 1) {
    const heading = await walk.page.locator("h1").innerText().catch(() => from[0]);
    if (!from.includes(heading.trim())) return;
    await pause(200);
  }
  walk.fault(`still "${from}"`);
}

async function waiting(walk, open) {
  const inside = await open();
  await enter(inside, counters.full, "granted", "/applications");
  await signIn(walk, counters.full, "refused");
  await walk.follow("Non aggiornarla da sola", "Do not update it by itself");
  await walk.look(WAITING);
  let loads = 0;
  walk.page.on("load", () => (loads += 1));
  await pause(5000);
  if (loads > 0) walk.fault("a page that is not to update itself does so");
  await walk.follow("Aggiornala da sola", "Update it by itself");
  await pause(5000);
  if (loads < 2) walk.fault("the page does not update itself");
  await walk.look(WAITING);
  await inside.press("Esci", "Sign out");
  await changed(walk, WAITING);
  await walk.look(["Tocca a te", "It is your turn"]);
  await walk.press("Entra", "Enter");
  await walk.look(SIGNED_IN);
  await walk.press("No, esci", "No, sign out");
  await walk.look(HOME);
}

async function empty(walk) {
  await enter(walk, counters.evening, "refused", "/applications");
  await walk.look(MINE);
  await walk.shows(walk.say("Non hai ancora presentato domande.", "You have not submitted any application yet."));
  await walk.follow("Deleghe", "Mandates");
  await walk.look(["Deleghe", "Mandates"]);
  await walk.shows(walk.say("Non ci sono deleghe.", "There are no mandates."));
  await walk.press("Crea un PIN", "Make a PIN");
  await walk.look(["PIN telefonico", "Telephone PIN"]);
  await walk.follow("Torna alle deleghe", "Back to the mandates");
  await walk.look(["Deleghe", "Mandates"]);
  await walk.press("Revoca il PIN", "Revoke the PIN");
  await walk.follow("Chi ha visto i miei dati", "Who saw my data");
  await walk.look(["Chi ha visto i miei dati", "Who saw my data"]);
  // Lists are read once a second.
  const list = at(walk, "/applications");
  for (let tries = 0; tries < 10; tries += 1) {
    await walk.page.request.get(list);
    if ((await walk.page.goto(list)).status() === 429) break;
  }
  await walk.look(["Troppe richieste", "Too many requests"]);
  await walk.shows(walk.say("Riprova tra", "Try again in"));
  await walk.page.waitForTimeout(1100);
  await walk.page.goto(at(walk, "/sessions"));
  await walk.look(["I miei accessi", "My sessions"]);
  await walk.page.goto(at(walk, `/applications/${UNKNOWN}`));
  await walk.look(["Non trovato", "Not found"]);
}

/** Sends a step without an answer, or with those of `fill`, and looks at its faults. */
async function faulty(walk, step, fill = async () => {}) {
  await walk.page.goto(at(walk, `/apply/${step}`));
  await fill(walk.page);
  const heading = (await walk.page.locator("h1").innerText()).trim();
  await walk.press(...SAVE);
  await walk.look([heading]);
  await walk.shows(walk.say(...PROBLEM));
}

async function faults(walk) {
  const { page } = walk;
  await enter(walk, counters.evening, "pending", "/applications");
  for (const step of ["contacts", "activity", "standing", "payment"]) await faulty(walk, `iscro/${step}`);
  await faulty(walk, "iscro/incomes", (shown) => shown.fill("[name='incomes.2023.amount']", "much"));
  await page.goto(at(walk, "/apply/iscro/check"));
  await page.locator("summary").first().click();
  await walk.look(CHECK);
  await walk.shows(walk.say(...PROBLEM));
  await enter(walk, counters.spring, "granted", "/applications");
  await faulty(walk, "allowance600/work");
  for (const work of ["professional", "collaborator", "artisan", "seasonalTourism", "farmWorker", "showBusiness"]) {
    await page.goto(at(walk, "/apply/allowance600/work"));
    await page.check(`[name=category][value=${work}]`);
    await walk.press(...SAVE);
    await faulty(walk, "allowance600/facts");
  }
}

async function decisions(walk) {
  await applyAs(walk, "pending");
  await walk.shows(walk.say("in attesa di un altro archivio", "waiting for another register"));
  await applyAs(walk, "refused");
  await walk.shows(walk.say("respinta", "refused"));
}

/** Two tabs of one browser, and what another device has ended. */
async function elsewhere(walk, open) {
  const { page } = walk;
  await enter(walk, counters.always, "granted", "/apply/iscro/contacts");
  const tab = await walk.context.newPage();
  await tab.goto(page.url());
  await page.fill("[name='applicant.email']", "one@example.it");
  await page.fill("[name='applicant.phone']", "0612345678");
  await walk.press(...SAVE);
  await tab.fill("[name='applicant.email']", "two@example.it");
  await tab.fill("[name='applicant.phone']", "0612345678");
  const second = Object.assign(Object.create(Object.getPrototypeOf(walk)), walk, { page: tab });
  await second.press(...SAVE);
  await second.look(CONTACTS);
  await second.shows(walk.say("Hai risposto anche altrove", "You have answered elsewhere, too"));
  await second.shows("one@example.it");
  if ((await tab.inputValue("[name='applicant.email']")) !== "two@example.it") walk.fault("what was typed is lost");
  await second.press(...SAVE);

  const other = await open();
  await enter(other, counters.always, "granted", "/applications");
  await other.look(MINE);
  await other.shows(walk.say("Hai una domanda iniziata", "You have begun an application"));
  await other.follow("I miei accessi", "My sessions");
  await other.look(["I miei accessi", "My sessions"]);
  await other.press("Termina tutti gli altri", "End all others");
  await page.fill("[name='activity.vatNumber']", "00743110157");
  await walk.press(...SAVE);
  await walk.look(ENDED);
  await walk.follow("Accedi di nuovo", "Sign in again");
  await walk.press(...PEOPLE.granted);
  await walk.follow("Sì, continua", "Yes, continue");
  await walk.follow("Riprendi la domanda", "Continue the application");
  await walk.look(CHECK);
  await walk.shows("two@example.it");
  await tab.close();
}

/** The answers are complete in two tabs: both lead to one receipt. Then it is too late to begin again. */
async function applied(walk) {
  const { page } = walk;
  await fillIn(walk, "iscro");
  const tab = await walk.context.newPage();
  await tab.goto(page.url());
  await walk.press(...SUBMIT);
  await walk.look(RECEIVED);
  const there = page.url();
  await tab.getByRole("button", { name: walk.say(...SUBMIT) }).click();
  if (tab.url() !== there) walk.fault(`the second tab is at ${tab.url()}`);
  // Chromium may ignore a request to close a tab whose page it has not loaded yet; `close` then waits forever.
  await tab.waitForLoadState();
  await tab.close();
  await fillIn(walk, "iscro");
  await walk.press(...SUBMIT);
  if (page.url() !== there) walk.fault(`who applies again is at ${page.url()}`);
  await page.goto(`${there}/withdrawal`);
  await walk.look(["Vuoi ritirare la domanda?", "Withdraw the application?"]);
  await page.locator("main [name=form]").evaluate((field) => (field.value = "old"));
  await walk.press("Ritira la domanda", "Withdraw the application");
  await walk.look(["Modulo di un'altra pagina", "Form of another page"]);
}

async function office(walk, open) {
  const clerk = await open();
  await enter(clerk, counters.always, "intermediary", "/applications");
  await clerk.look(["Domande dell'ufficio", "The office's applications"]);
  const mandate = at(clerk, "/clients/demo-granted-iscro-2024");
  await clerk.page.goto(mandate);
  await clerk.look(["ISCRO 2024"]);
  await clerk.press("Compila con un esempio", "Fill in an example");
  await clerk.look(["Controlla le risposte", "Check the answers"]);
  await clerk.press(...SUBMIT);
  await clerk.look(["Domanda già presentata", "Already applied"]);
  await walk.page.goto(at(walk, "/mandates"));
  await walk.look(["Deleghe", "Mandates"]);
  await walk.press("Revoca questa delega", "Revoke this mandate");
  await walk.look(["Deleghe", "Mandates"]);
  await clerk.page.goto(mandate);
  await clerk.look(["Nessuna delega", "No mandate"]);
  await clerk.page.goto(at(clerk, "/search"));
  await clerk.page.fill("[name=receipt]", UNKNOWN);
  await clerk.press("Cerca", "Search");
  await clerk.look(["Cerca una ricevuta", "Search for a receipt"]);
  await clerk.page.goto(at(clerk, "/upload"));
  const large = { name: "large.csv", mimeType: "text/csv", buffer: Buffer.alloc(12 << 20, "a") };
  await clerk.page.setInputFiles("input[type=file]", large);
  await clerk.press("Controlla il file", "Check the file");
  await clerk.look(["Carica un file di domande", "Upload a file of applications"]);
  await clerk.shows(walk.say(...PROBLEM));
}

/** What a page of the first person must not show to the second one. */
async function hides(walk, who, receipt) {
  const html = await walk.page.content();
  for (const own of [MASKED[who], receipt]) if (html.includes(own)) walk.fault(`shows ${own} to another person`);
}

/** Two people one after the other at one computer. */
async function shared(walk) {
  const { page } = walk;
  await enter(walk, counters.always, "pending", "/applications");
  const receipt = (await page.locator("code").first().innerText()).trim();
  const list = page.url();
  await page.getByRole("link", { name: "ISCRO 2024" }).click();
  await walk.look(RECEIVED);
  await page.goto(list);
  await walk.press("Esci", "Sign out");
  await walk.look(HOME);
  for (let steps = 0; steps < 3; steps += 1) {
    await page.goBack();
    await walk.look(ENDED);
    await hides(walk, "pending", receipt);
  }
  await signIn(walk, counters.always, "refused");
  await walk.look(SIGNED_IN);
  await hides(walk, "pending", receipt);
  await page.goto(list);
  await walk.look(ENDED);
  await hides(walk, "pending", receipt);
  if ((await walk.context.cookies()).length !== 1) walk.fault("other cookies than that of the session");
}

async function broken(walk) {
  const { page } = walk;
  await enter(walk, counters.disk, "granted", "/apply/iscro/contacts");
  await page.fill("[name='applicant.email']", "one@example.it");
  await walk.press(...SAVE);
  await walk.look(["Archivio non disponibile", "Storage unavailable"]);
  await signIn(walk, counters.audit, "granted");
  await walk.look(["Accesso sospeso", "Access suspended"]);
}

async function states(walk, open) {
  const brief = await open();
  await enter(brief, counters.brief, "granted", "/apply/iscro/contacts");
  const began = Date.now();
  await brief.page.fill("[name='applicant.email']", "kept@example.it");
  await brief.page.fill("[name='applicant.phone']", "0612345678");
  await brief.press("Salva ed esci", "Save and leave");
  for (const part of [closed, waiting, empty, faults, decisions, elsewhere, applied, office, shared, broken]) {
    await part(walk, open).catch((fault) => walk.fault(`${part.name}: ${fault.message}`));
  }
  await pause(Math.max(0, 61000 - (Date.now() - began)));
  await brief.follow("Riprendi la domanda", "Continue the application");
  await brief.look(ENDED);
  await brief.follow("Accedi di nuovo", "Sign in again");
  await brief.press(...PEOPLE.granted);
  await brief.follow("Sì, continua", "Yes, continue");
  await brief.follow("Riprendi la domanda", "Continue the application");
  await brief.look(CHECK);
  await brief.shows("kept@example.it");
}

inEachView(states, { views: VIEWS.filter((view) => view.language === language), everywhere: true });
