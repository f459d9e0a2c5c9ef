// The whole way of an office in Chromium, without JavaScript of the page: clients, one application, search, a file with
// faults and one without, results, the same file again. Prints every fault: node office.cjs SERVER CLIENT...
//
// A client is MANDATE=FISCAL_CODE; each view uses two of its own.
"use strict";
const { readFileSync } = require("node:fs");
const { inEachView, server } = require("./walk.cjs");

const clients = process.argv.slice(3).map((client) => client.split("="));

/** What a link offers to download. */
async function downloaded(walk, italian, english) {
  const link = walk.page.getByRole("link", { name: walk.say(italian, english) }).first();
  const [download] = await Promise.all([walk.page.waitForEvent("download"), link.click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
}

async function upload(walk, name, text) {
  const { page } = walk;
  if (name) await page.setInputFiles("input[type=file]", { name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await walk.press("Controlla il file", "Check the file");
}

async function applyForOne(walk, [mandate, code]) {
  const { page } = walk;
  await walk.follow("Clienti e deleghe", "Clients and mandates");
  await walk.look(["Clienti e deleghe", "Clients and mandates"]);
  await page.getByRole("link", { name: mandate, exact: false }).first().click();
  await walk.look(["ISCRO 2024"]);
  const notice = page.url();
  await walk.follow("Ho letto e compreso", "I have read and understood");
  await walk.look(["Il tuo cliente", "Your client"]);
  await page.fill("[name='applicant.fiscalCode']", "RSSMRA80A01H501U");
  await walk.press("Salva e continua", "Save and continue");
  await walk.look(["Il tuo cliente", "Your client"]);
  await walk.shows(walk.say("La delega è di un'altra persona", "The mandate is another person's"));
  await page.goto(notice);
  await walk.look(["ISCRO 2024"]);
  await walk.press("Compila con un esempio", "Fill in an example");
  await walk.look(["Controlla le risposte", "Check the answers"]);
  await walk.shows(code);
  await walk.press("Invia la domanda", "Submit the application");
  await walk.look(["Abbiamo ricevuto la domanda", "We have received the application"]);
  return page.url().split("/").pop();
}

async function search(walk, receipt) {
  const { page } = walk;
  await walk.follow("Cerca", "Search");
  await walk.look(["Cerca una ricevuta", "Search for a receipt"]);
  for (const typed of ["", "ISCRO-2024-7K3M-9QXT-B2FD-0YHR"]) {
    await page.fill("[name=receipt]", typed);
    await walk.press("Cerca", "Search");
    await walk.look(["Cerca una ricevuta", "Search for a receipt"]);
    await walk.shows(walk.say("C'è un problema", "There is a problem"));
  }
  await page.fill("[name=receipt]", receipt.toLowerCase());
  await walk.press("Cerca", "Search");
  await walk.look(["Abbiamo ricevuto la domanda", "We have received the application"]);
}

async function file(walk, [mandate, code]) {
  const { page } = walk;
  await walk.follow("Carica un file", "Upload a file");
  await walk.look(["Carica un file di domande", "Upload a file of applications"]);
  const template = await downloaded(walk, "Scarica il modello", "Download the template");
  if (template.name !== "iscro-2024.csv") walk.fault(`the template is called ${template.name}`);
  await upload(walk);
  await walk.look(["Carica un file di domande", "Upload a file of applications"]);
  await walk.shows(walk.say("Scegli un file.", "Choose a file."));
  await upload(walk, "clients.xlsx", template.text);
  await walk.look(["Carica un file di domande", "Upload a file of applications"]);
  await walk.shows(walk.say("Il file deve essere CSV o NDJSON.", "The file must be CSV or NDJSON."));

  const [first, example] = template.text.trimEnd().split("\r\n");
  const cells = example.split(/[;,]/);
  const good = example.replace(cells[0], mandate).replace(cells[1], code);
  await upload(walk, "clients.csv", [first, example, good.replace(cells[2], "nobody"), good].join("\r\n"));
  await walk.look(["Controlla il file", "Check the file"]);
  await walk.shows("applicant.email");
  const faults = await downloaded(walk, "Scarica gli errori", "Download the faults");
  if (faults.text.trim().split("\n").length !== 3) walk.fault(`faults: ${faults.text}`);
  await page.locator("summary").first().click();
  await walk.look(["Controlla il file", "Check the file"]);
  await upload(walk, "clients.csv", `${first}\n${good}`);
  await walk.look(["Controlla il file", "Check the file"]);
  await walk.press("Invia le domande", "Submit the applications");
  await walk.look(["Invio delle domande", "Submitting the applications"]);
  await walk.shows(walk.say("Abbiamo letto tutte le righe.", "All rows were read."));
  await walk.shows(walk.say("presentata", "submitted"));
  const result = await downloaded(walk, "Scarica il risultato", "Download the result");
  if (!result.text.includes(mandate) || result.text.includes(code)) walk.fault(`result: ${result.text}`);
  // Sends the form again, as a person does whose page broke off.
  await page.reload();
  await walk.look(["Invio delle domande", "Submitting the applications"]);
  await walk.shows(walk.say("già presentata prima", "submitted before"));
}

async function office(walk) {
  const { page } = walk;
  await page.goto(`${server}/${walk.view.language}/signin`);
  await walk.press("lavora per un patronato", "works for a patronato");
  await walk.look(["Hai effettuato l'accesso", "You are signed in"]);
  await walk.follow("Sì, continua", "Yes, continue");
  await walk.look(["Domande dell'ufficio", "The office's applications"]);
  const receipt = await applyForOne(walk, clients.shift());
  await search(walk, receipt);
  await file(walk, clients.shift());
  await page.waitForTimeout(1500);
  await walk.follow("Domande dell'ufficio", "Applications of the office");
  await walk.look(["Domande dell'ufficio", "The office's applications"]);
  await walk.press("Esci", "Sign out");
  await walk.look(["Lo sportello adesso", "The counter now"]);
}

inEachView(office);
