/**
 * The capability `exec`: external programs that a grant names, each in a sandbox of its own.
 *
 *     await ctx.host.exec("jq", { args: { filter: ".a" }, input: text })      one run, to its end
 *     for await (const line of ctx.host.exec.stream("log", {…})) …            one run, line by line
 *     await ctx.host.exec.ask("model", { prompt })                            one line of JSON to a program that stays
 */
import type { Capability } from "./contract.ts";
import { defineCapability } from "./define.ts";
import { AskedProgram } from "./exec-ask.ts";
import {
  askArgs,
  execGrant,
  RUN_MS_MAX,
  runArgs,
  type AskArgs,
  type ExecPrograms,
  type RunArgs,
} from "./exec-grant.ts";
import { granted, runInLines, runToEnd } from "./exec-run.ts";
import { RuntimeError } from "../errors.ts";

/** A little more than a program may take by its grant, so that its own limit is what ends it. */
const VERB_MS = RUN_MS_MAX + 10_000;

/** The capability. */
export const execCapability: Capability = defineCapability<
  ExecPrograms,
  { call: RunArgs; ask: AskArgs; stream: RunArgs }
>({
  name: "exec",
  grant: execGrant,
  verbs: {
    call: {
      args: runArgs,
      timeoutMs: VERB_MS,
      run: async (call, name, asked = {}) => await runToEnd(call, granted(call, name), asked),
    },
    ask: {
      args: askArgs,
      timeoutMs: VERB_MS,
      run: async (call, name, value) => {
        const named = granted(call, name);
        if (named.program.args.some((part) => typeof part !== "string" && part.isOptional !== true))
          throw new RuntimeError(
            "RUNTIME_CAPABILITY_INVALID",
            `exec: ${name}: a program with holes in its arguments is run, not asked`,
          );
        const asked = await call.hold(`ask ${name}`, async () => await Promise.resolve(new AskedProgram(call, named)));
        return await asked.ask(value);
      },
    },
    stream: {
      args: runArgs,
      timeoutMs: VERB_MS,
      run: (call, name, asked = {}) => runInLines(call, granted(call, name), asked),
    },
  },
});
