// Drives Chromium, headless, by its DevTools protocol over a pair of pipes.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

// Where the browser is; null if there is none.
function findBrowser() {
  for (const folder of (process.env.PATH || '').split(':')) {
    for (const name of PROGRAMS) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  return null;
}

class Browser {
  constructor(program) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-browser-'));
    // A group of its own, so that close() ends its children too.
    this.process = spawn(program, ['--headless', '--no-sandbox', '--no-zygote', '--disable-gpu', '--disable-dev-shm-usage',
      '--no-first-run', '--disable-extensions', '--disable-background-networking', '--remote-debugging-pipe',
      `--user-data-dir=${this.folder}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, TZ: 'Pacific/Auckland' } });
    this.waiting = new Map();
    this.listeners = [];
    this.next = 1;
    let rest = '';
    this.process.stdio[4].on('data', (bytes) => {
      const parts = (rest + bytes.toString('utf8')).split('\0');
      rest = parts.pop();
      parts.forEach((part) => this.receive(JSON.parse(part)));
    });
    this.process.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the browser ended'));
    });
    this.process.stdio[3].on('error', () => {});
  }

  receive(message) {
    if (message.id === undefined) {
      this.listeners.forEach((listener) => listener(message));
      return;
    }
    const { resolve, reject, method } = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) reject(new Error(`${method}: ${message.error.message}`));
    else resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject, method }));
  }

  // A new tab of that size, with `colours` 'light' or 'dark'. It records what a page asks for and says.
  async tab({ width = 1280, height = 900, colours = 'light', hasScripts = true } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, sessionId, targetId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`);
    await tab.send('Network.emulateNetworkConditions',
      { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
    await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: colours }] });
    if (!hasScripts) await tab.send('Emulation.setScriptExecutionDisabled', { value: true });
    return tab;
  }

  async close() {
    await this.send('Browser.close').catch(() => {});
    if (this.process.exitCode === null) await new Promise((resolve) => this.process.on('exit', resolve));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

class Tab {
  constructor(browser, sessionId, targetId) {
    Object.assign(this, { browser, sessionId, targetId, requests: [], messages: [], loaded: null });
    browser.listeners.push((message) => {
      if (message.sessionId === sessionId) this.receive(message);
    });
  }

  receive({ method, params }) {
    if (method === 'Network.requestWillBeSent' && !params.request.url.startsWith('data:')) this.requests.push(params.request.url);
    if (method === 'Runtime.consoleAPICalled') this.messages.push(params.args.map((arg) => arg.value).join(' '));
    if (method === 'Runtime.exceptionThrown') this.messages.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded') this.messages.push(params.entry.text);
    if (method === 'Page.javascriptDialogOpening') {
      this.messages.push(`a dialog: ${params.message}`);
      this.send('Page.handleJavaScriptDialog', { accept: true });
    }
    if (method === 'Page.loadEventFired' && this.loaded) this.loaded();
  }

  send(method, params) { return this.browser.send(method, params, this.sessionId); }

  async open(file) {
    this.requests.length = 0;
    const loaded = new Promise((resolve) => { this.loaded = resolve; });
    await this.send('Page.navigate', { url: 'file://' + file });
    await loaded;
  }

  // What `of`, a function of the page, returns.
  async evaluate(of, ...args) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate',
      { expression: `(${of})(...${JSON.stringify(args)})`, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description || exceptionDetails.text);
    return result.value;
  }

  async close() { await this.browser.send('Target.closeTarget', { targetId: this.targetId }); }
}

module.exports = { Browser, findBrowser };
