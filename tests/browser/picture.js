// A picture of a page: node picture.js PAGE.html OUT.png WIDTH light|dark HEIGHT SCALE. HEIGHT: of the page's top.
'use strict';
const fs = require('fs');
const path = require('path');
const { Browser, findBrowser } = require('./browser.js');

async function main([page, out, width, colours, height, scale]) {
  const program = findBrowser();
  if (!program) throw new Error('there is no chromium; scripts/setup installs it');
  const browser = new Browser(program);
  try {
    const tab = await browser.tab({ width: Number(width), colours });
    await tab.send('Emulation.setTimezoneOverride', { timezoneId: 'UTC' });
    await tab.open(path.resolve(page));
    const { data } = await tab.send('Page.captureScreenshot', { captureBeyondViewport: true,
      clip: { x: 0, y: 0, width: Number(width), height: Number(height), scale: Number(scale) } });
    fs.writeFileSync(out, Buffer.from(data, 'base64'));
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
