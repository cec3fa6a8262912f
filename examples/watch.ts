/** Agents as files: save one, and the next message finds the new version with the old memory. */
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";

const greeter = (greeting: string) => `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ greeted: 0 }),
  on: { greet: (ctx, name: string) => \`${greeting} \${name}, you are number \${++ctx.state.greeted}. \${ctx.text}\` },
});`;

await using temp = await mkdtempDisposable(join(tmpdir(), "planaria-watch-"));
const save = (name: string, content: string) => writeFile(join(temp.path, name), content);
await save("greeter.agent.ts", greeter("Hello"));
await using runtime = await Runtime.open({ vault: join(temp.path, "vault") });
const told = (type: string) =>
  new Promise<void>((done) => {
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (event.type !== type) return;
      if (event.type === "definition.refused") console.log(`refused   -> line ${event.line}: ${event.code}`);
      unsubscribe();
      done();
    });
  });
const step = async (what: string, name: string, content: string, type = "definition.applied") => {
  await Promise.all([told(type), save(name, content)]);
  console.log(`${what} -> ${String(await runtime.ref("greeter").call("greet", "Ada"))}`);
};

await runtime.watch(temp.path);
console.log(`started   -> ${String(await runtime.ref("greeter").call("greet", "Ada"))}`);
await step("saved    ", "greeter.agent.ts", greeter("Welcome"));
await step("record   ", "greeter.agent.md", "---\nlimits: { heapMb: 64 }\n---\nBe seated.");
await step("broken   ", "greeter.agent.ts", greeter("Oops").replace("version", "version!"), "definition.refused");
