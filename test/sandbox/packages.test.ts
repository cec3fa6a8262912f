/** npm packages that are plain JavaScript, in a real isolate: some that everybody uses, and the ways in which packages are made. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { decode } from "../../sandbox/codec.ts";
import { done, GuestHost } from "../support/guest.ts";

const host = new GuestHost();
let folder = "";
const FILES: Readonly<Record<string, string>> = {
  "umd/package.json": '{"name":"umd"}',
  "umd/index.js": `(function (root, factory) { typeof exports === "object" ? module.exports = factory() : root.umd = factory() })(typeof self !== "undefined" ? self : this, function () { return { say: () => "umd" } })`,
  "field/package.json": '{"name":"field","main":"node.js","browser":{"./node.js":"./browser.js","fs":false}}',
  "field/node.js": 'module.exports = require("fs").readFileSync;',
  "field/browser.js":
    'const fs = require("fs"); module.exports = () => "for browsers, fs is " + typeof fs.readFileSync;',
  "condition/package.json":
    '{"name":"condition","type":"module","exports":{"node":"./node.js","browser":"./browser.js","default":"./node.js"}}',
  "condition/node.js": 'import "node:fs";',
  "condition/browser.js": 'export const say = () => "browser";',
  "globals/package.json": '{"name":"globals"}',
  "globals/index.js": `var freeGlobal = typeof global == "object" && global && global.Object === Object && global;
    var root = freeGlobal || Function("return this")();
    module.exports = () => [root === globalThis, process.env.NODE_ENV, typeof process, typeof window, typeof setTimeout];`,
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "planaria-packages-"));
  for (const [path, text] of Object.entries(FILES)) {
    const file = join(folder, "node_modules", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
});
after(async () => {
  await host[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** What `go()` of these imports and statements returns, in an agent; packages are looked for from `resolveFrom`. */
async function run(source: string, resolveFrom: string): Promise<unknown> {
  const text = `${source}\nexport default { version: 1, state: () => ({}), on: { go } };`;
  const guest = await (await host.open({ source: text, name: "p.agent.ts", resolveFrom })).start();
  return decode(done(await guest.call("go")).reply, { bytesMax: 100_000 });
}

describe("npm packages in an agent", () => {
  const installed: readonly (readonly [name: string, source: string, value: unknown])[] = [
    [
      "zod, all of it",
      'import { z } from "zod"; const S = z.object({ mail: z.email(), at: z.url(), id: z.uuid().optional() }); const go = () => [S.safeParse({ mail: "a@b.cc", at: "https://a.b/c" }).success, S.safeParse({ mail: "a", at: "b" }).error?.issues.length]',
      [true, 2],
    ],
    [
      "yaml",
      'import { parse, stringify } from "yaml"; const go = () => [parse("a: [1, { b: x }]"), stringify({ a: 1 })]',
      [{ a: [1, { b: "x" }] }, "a: 1\n"],
    ],
    [
      "devalue",
      'import { parse, stringify } from "devalue"; const go = () => parse(stringify(new Map([[1, new Date(3)]])))',
      new Map([[1, new Date(3)]]),
    ],
    [
      "pure-rand",
      'import { xorshift128plus } from "pure-rand/generator/xorshift128plus"; const go = () => xorshift128plus(1).next() === xorshift128plus(1).next()',
      true,
    ],
  ];
  for (const [name, source, value] of installed) {
    it(`${name} works`, async () => assert.deepEqual(await run(source, import.meta.dirname), value));
  }

  const made: readonly (readonly [what: string, source: string, value: unknown])[] = [
    ["as UMD", 'import umd from "umd"; const go = () => umd.say()', "umd"],
    ["with a browser field", 'import field from "field"; const go = () => field()', "for browsers, fs is undefined"],
    ["with conditions", 'import { say } from "condition"; const go = () => say()', "browser"],
    [
      "to look for its global object",
      'import globals from "globals"; const go = () => globals()',
      [true, "production", "undefined", "undefined", "undefined"],
    ],
  ];
  for (const [what, source, value] of made) {
    it(`a package that is made ${what} works`, async () => assert.deepEqual(await run(source, folder), value));
  }
});
