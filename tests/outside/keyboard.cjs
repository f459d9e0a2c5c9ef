// A citizen's whole way by the keyboard alone, without scripts: Tab, Shift+Tab, arrows, Space, Enter, and typing. Prints every
// fault, and the keys that were pressed: node keyboard.cjs SERVER
//
// A fault is a stop that cannot be reached by Tab, that has no visible focus, or that lies outside of what is seen, and a
// page from which Tab finds no way on.
"use strict";
const { chromium } = require("playwright-core");

const [server] = process.argv.slice(2);
const STOPS_MAX = 80;
const faults = [];
let keys = 0;

/** What has the focus: its name, and whether a person sees that it has it. */
function focused() {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const label = element.labels && element.labels.length > 0 ? element.labels[0].textContent : "";
  return {
    text: (label || element.textContent || element.getAttribute("aria-label") || "").trim().replace(/\s+/g, " "),
    name: element.name || "",
    value: element.value || "",
    tag: element.tagName,
    isMarked: outlineStyle !== "none" && outlineWidth !== "0px",
    isSeen: right > 0 && bottom > 0 && left < innerWidth && top < innerHeight,
  };
}

class Keyboard {
  constructor(page) {
    this.page = page;
  }

  async press(key) {
    keys += 1;
    await this.page.keyboard.press(key);
  }

  /** Goes on by Tab until something has the focus that is wanted. */
  async reach(what, isWanted) {
    for (let stops = 0; stops < STOPS_MAX; stops += 1) {
      await this.press("Tab");
      const stop = await this.page.evaluate(focused);
      const where = `${stop.tag} "${stop.text.slice(0, 40)}"`;
      if (stop.tag === "BODY") continue;
      if (!stop.isMarked) faults.push(`${await this.heading()}: no focus is seen at ${where}`);
      if (!stop.isSeen) faults.push(`${await this.heading()}: ${where} has the focus out of sight`);
      if (isWanted(stop)) return stop;
    }
    throw new Error(`${await this.heading()}: Tab does not lead to ${what}`);
  }

  async heading() {
    return (await this.page.locator("h1").innerText()).trim();
  }

  async arrive(heading) {
    await this.page.waitForLoadState();
    const found = await this.heading();
    if (found !== heading) throw new Error(`"${found}" instead of "${heading}"`);
  }

  /** Follows a link or presses a button. */
  async activate(text, heading) {
    await this.reach(text, (stop) => ["A", "BUTTON", "SUMMARY"].includes(stop.tag) && stop.text.startsWith(text));
    const loaded = this.page.waitForEvent("load");
    await this.press("Enter");
    await loaded;
    await this.arrive(heading);
  }

  async type(name, text) {
    await this.reach(name, (stop) => stop.name === name);
    keys += text.length;
    await this.page.keyboard.type(text);
  }

  /** Chooses an answer by arrows, as browsers move in a group of radio buttons. */
  async choose(name, value) {
    let stop = await this.reach(name, (one) => one.name === name);
    if (stop.value === value) return this.press("Space");
    for (let moves = 0; stop.value !== value && moves < STOPS_MAX; moves += 1) {
      await this.press("ArrowDown");
      stop = await this.page.evaluate(focused);
    }
    if (stop.value !== value) throw new Error(`arrows do not lead to ${name} ${value}`);
  }

  async tick(name) {
    await this.reach(name, (stop) => stop.name === name);
    await this.press("Space");
  }
}

async function apply(keyboard) {
  await keyboard.type("applicant.email", "mario@example.it");
  await keyboard.type("applicant.phone", "0612345678");
  await keyboard.activate("Save and continue", "Your activity");
  await keyboard.type("activity.vatNumber", "00743110157");
  await keyboard.type("activity.vatOpenedOn", "1/3/2015");
  await keyboard.choose("activity.kind", "individual");
  await keyboard.choose("taxScheme", "ordinary");
  await keyboard.activate("Save and continue", "Your income from self-employment");
  for (const [year, amount] of [[2023, "3000"], [2022, "5000"], [2021, "6000"]]) {
    await keyboard.type(`incomes.${year}.amount`, amount);
    await keyboard.choose(`incomes.${year}.line`, "RE");
  }
  await keyboard.activate("Save and continue", "Your situation today");
  await keyboard.choose("standing.separateManagement", "true");
  for (const name of ["directPension", "invalidityAllowance", "otherCompulsoryInsurance", "inclusionAllowance"]) {
    await keyboard.choose(`standing.${name}`, "false");
  }
  await keyboard.choose("standing.unemploymentBenefit", "none");
  await keyboard.choose("standing.politicalOffice", "none");
  await keyboard.choose("standing.contributionsRegular", "true");
  await keyboard.activate("Save and continue", "Have you received ISCRO before?");
  await keyboard.activate("Save and continue", "Where to pay you");
  // A fault takes the focus, and its link leads to the field.
  await keyboard.activate("Save and continue", "Where to pay you");
  await keyboard.reach("the fault", (stop) => stop.tag === "A" && stop.text.startsWith("IBAN: "));
  await keyboard.press("Enter");
  const field = await keyboard.page.evaluate(focused);
  if (field.name !== "payment.iban") faults.push(`the fault leads to ${field.tag} ${field.name}`);
  await keyboard.page.keyboard.type("IT60X0542811101000000123456");
  await keyboard.activate("Save and continue", "Statements");
  await keyboard.tick("consents.truthOfStatements");
  await keyboard.tick("consents.siislSharing");
  await keyboard.activate("Save and continue", "Check your answers");
}

async function walk(keyboard) {
  const { page } = keyboard;
  await page.goto(`${server}/en`);
  await keyboard.activate("Sign in", "Sign in");
  await keyboard.activate("Sign in as this person", "You are signed in");
  await keyboard.activate("Yes, continue", "My applications");
  await keyboard.activate("Begin the application", "ISCRO 2024");
  await keyboard.activate("I have read and understood", "How to reach you");
  await apply(keyboard);
  await keyboard.reach("the grounds", (stop) => stop.tag === "SUMMARY");
  await keyboard.press("Enter");
  if (!(await page.locator("details").evaluate((one) => one.open))) faults.push("the grounds do not open");
  await keyboard.activate("Submit the application", "We have received your application");
  await keyboard.activate("Sign out", "The counter now");
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: "en-GB" });
  context.setDefaultTimeout(15000);
  await walk(new Keyboard(await context.newPage())).catch((fault) => faults.push(fault.message));
  await browser.close();
  [...new Set(faults)].forEach((fault) => console.log(fault));
  if (faults.length === 0) console.log(`${keys} keys pressed`);
  process.exit(faults.length > 0 ? 1 : 0);
}

main();
