// Inspects the page that a browser shows in every way in which people may look at it: on a narrow and on a wide screen,
// light and dark, enlarged to 200 %, in forced colours.
//
// axe is a script. So the page as it stands, also in a browser without scripts, is shown again in browsers with them.
"use strict";
const axe = require("axe-core");

/** WCAG 2.2 AA and best practices. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** What depends on sizes and colours; all else is the same however one looks at a page. */
const RULES_OF_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"];
const LOOKS = [
  { name: "narrow", viewport: { width: 320, height: 800 } },
  { name: "dark", viewport: { width: 320, height: 800 }, colorScheme: "dark" },
  { name: "wide", viewport: { width: 1280, height: 800 } },
  // What is left of a screen of 1280 pixels.
  { name: "200 %", viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  { name: "forced colours", viewport: { width: 640, height: 800 }, forcedColors: "active" },
];

/** What axe finds. */
async function findings(page, runOnly = RULES) {
  await page.evaluate(axe.source);
  const options = { runOnly, resultTypes: ["violations"] };
  const { violations } = await page.evaluate((asked) => window.axe.run(asked), options);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

/** Asks a page something. One that updates itself may be on its way just then, and is asked again. */
async function asking(page, ask) {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      return await ask();
    } catch {
      await page.waitForLoadState();
    }
  }
  return ask();
}

class Inspector {
  static async open(browser) {
    const inspector = new Inspector();
    inspector.looks = [];
    for (const { name, ...look } of LOOKS) {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, ...look });
      await context.route("**", (route) =>
        route.request().resourceType() === "document"
          ? route.fulfill({ body: inspector.html, contentType: "text/html; charset=utf-8" })
          : route.continue(),
      );
      inspector.looks.push({ name, page: await context.newPage() });
    }
    return inspector;
  }

  /** The faults of what a page shows now. */
  async look(page) {
    // axe objects to any refresh. Whether it can be turned off is tested where pages have one.
    this.html = (await asking(page, () => page.content())).replace(/<meta http-equiv="refresh"[^>]*>/, "");
    const url = page.url().split("#")[0];
    const faults = this.looks.map(async ({ name, page: shown }, number) => {
      await shown.goto(url);
      const overflow = await shown.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      const found = await findings(shown, number === 0 ? RULES : RULES_OF_LOOKS);
      if (overflow > 0) found.push(`${overflow} pixels too wide`);
      return found.map((fault) => `${name}: ${fault}`);
    });
    return (await Promise.all(faults)).flat();
  }
}

module.exports = { asking, findings, Inspector };
