// A person's way through the pages in Chromium. Prints every fault.
//
// A fault is a finding of axe (WCAG 2.2 AA and best practices), an answer other than the expected one, something personal
// in a URL or title, a request to another host, a page wider than 320 pixels. SCREENSHOTS names a directory for pictures.
"use strict";
const { chromium } = require("playwright-core");
const { asking, findings, Inspector } = require("./inspect.cjs");

const [server] = process.argv.slice(2);
const PERSONAL = ["RSSMRA80A01H501U", "mario@", "IT60X0542811101000000123456", "00743110157"];
const VIEWS = [
  { name: "phone", language: "it", width: 320, colorScheme: "light", scripts: false },
  { name: "dark", language: "it", width: 320, colorScheme: "dark", scripts: true },
  { name: "desktop", language: "en", width: 1280, colorScheme: "light", scripts: true },
];
/** Several times what the longest way takes. Not everything in a browser has a time limit of its own. */
const WAY_SECONDS_MAX = 900;
const faults = [];
let seen = 0;

class Walk {
  constructor(view, context, page, inspector) {
    Object.assign(this, { view, context, page, inspector, number: 0 });
    page.on("request", (request) => {
      const url = request.url();
      const isOurs = new URL(url).hostname === "127.0.0.1" || url.startsWith("data:");
      if (!isOurs) this.fault(`asks for ${url}`);
      for (const personal of PERSONAL) if (url.includes(personal)) this.fault(`personal data in ${url}`);
    });
  }

  fault(what) {
    faults.push(`${this.view.name} ${this.page.url().replace(/visit\/[^/]+/, "visit/...")}: ${what}`);
  }

  /** Looks at the page as it stands: accessible, no wider than the screen, nothing personal in its title. */
  async look(heading) {
    seen += 1;
    const { page } = this;
    const found = (await page.locator("h1").innerText()).trim();
    if (!heading.includes(found)) this.fault(`"${found}" instead of "${heading}"`);
    const title = await asking(page, () => page.title());
    for (const personal of PERSONAL) if (title.includes(personal)) this.fault("personal data in the title");
    await this.inspect();
    const excess = () => document.documentElement.scrollWidth - window.innerWidth;
    const overflow = await asking(page, () => page.evaluate(excess));
    if (overflow > 0) this.fault(`${overflow} pixels too wide`);
    if (process.env.SCREENSHOTS) {
      this.number += 1;
      const name = `${this.view.name}-${String(this.number).padStart(2, "0")}.png`;
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}`, fullPage: true });
    }
  }

  /** Where views without scripts show the same pages as others, only the others are inspected: axe is a script. */
  async inspect() {
    if (this.inspector) {
      for (const fault of await this.inspector.look(this.page)) this.fault(fault);
    } else if (this.view.scripts) {
      for (const fault of await findings(this.page)) this.fault(fault);
    }
  }

  say(italian, english) {
    return this.view.language === "it" ? italian : english;
  }

  async press(italian, english) {
    await this.page.getByRole("button", { name: this.say(italian, english) }).first().click();
  }

  async follow(italian, english) {
    await this.page.getByRole("link", { name: this.say(italian, english) }).first().click();
  }

  async shows(text) {
    const body = await this.page.locator("body").innerText();
    if (!body.includes(text)) this.fault(`"${text}" is missing`);
  }
}

function end() {
  faults.forEach((fault) => console.log(fault));
  console.log(`${seen} pages seen`);
  process.exit(faults.length > 0 ? 1 : 0);
}

/** Lets somebody go their way in each view, and ends the process: with 1 if there was a fault, or it takes too long. */
async function inEachView(go, { views = VIEWS, everywhere = false } = {}) {
  setTimeout(() => {
    faults.push(`no end after ${WAY_SECONDS_MAX} seconds`);
    end();
  }, WAY_SECONDS_MAX * 1000);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  for (const view of views) {
    const inspector = everywhere ? await Inspector.open(browser) : undefined;
    const open = async () => {
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        viewport: { width: view.width, height: 800 },
        colorScheme: view.colorScheme,
        javaScriptEnabled: view.scripts,
        locale: view.language === "it" ? "it-IT" : "en-GB",
      });
      context.setDefaultTimeout(15000);
      return new Walk(view, context, await context.newPage(), inspector);
    };
    const walk = await open();
    try {
      await go(walk, open);
    } catch (fault) {
      walk.fault(fault.message);
    }
    for (const context of browser.contexts()) await context.close();
  }
  await browser.close();
  end();
}

module.exports = { inEachView, server };
