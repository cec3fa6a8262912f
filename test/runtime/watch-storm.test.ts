/**
 * Files that are saved, broken, renamed over, deleted and written in two steps at random, while clients keep calling.
 *
 * Invariants: (1) every call is answered, and what the agent counts has no gap and no repeat; (2) what an agent says is one
 * of the texts that were saved and not broken; (3) in the end it is what was saved last; (4) every shadow is gone.
 */
import assert from "node:assert/strict";
import { rename, rm, writeFile } from "node:fs/promises";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Chance } from "../support/chance.ts";
import { seed } from "../support/random-runs.ts";
import { WatchedFolder, says } from "../support/watched-folder.ts";

const IDS = ["a", "b", "c"];
const STEPS = 40;
/** Between two steps at most: about as long as it takes until a save is noticed. */
const PAUSE_MS_MAX = 90;

it(`in the end an agent is what was saved last, whatever was done to its file, SEED=${seed}`, async (t) => {
  const chance = new Chance(seed);
  const folder = await WatchedFolder.open(t);
  for (const id of IDS) await folder.save(`${id}.agent.ts`, says("start"));
  await folder.watch();
  const over = new AbortController();
  const clients = IDS.map(async (id) => {
    const said: string[] = [];
    while (!over.signal.aborted) said.push(String(await folder.runtime.ref(id).call("say")));
    return said;
  });
  for (let no = 0; no < STEPS; no++) {
    await disturb(folder, `${chance.of(IDS)}.agent.ts`, { word: `w${no}:`, kind: chance.below(6) });
    await pause(chance.below(PAUSE_MS_MAX));
  }
  for (const id of IDS) await folder.save(`${id}.agent.ts`, says("end:"));
  for (const id of IDS)
    while (!String(await folder.runtime.ref(id).call("say")).startsWith("end:")) await folder.applied(id);
  over.abort();
  for (const said of await Promise.all(clients)) {
    const counts = said.map((text) => Number(/\d+$/.exec(text)?.[0]));
    assert.ok(counts.every((count, index) => index === 0 || count > (counts[index - 1] ?? 0)));
    assert.ok(said.every((text) => !text.startsWith("broken")));
  }
  assert.equal(folder.runtime.vaultStats().branches, IDS.length);
});

async function disturb(
  folder: WatchedFolder,
  name: string,
  { word, kind }: { word: string; kind: number },
): Promise<void> {
  const path = folder.path(name);
  switch (kind) {
    case 0:
      return await folder.save(name, says("broken").replace("state:", "state"));
    case 1:
      return await folder.save(name, says("broken", "\n version: 2,"));
    case 2:
      return await rm(path, { force: true });
    case 3:
      await writeFile(`${path}.new`, says(word));
      return await rename(`${path}.new`, path);
    case 4:
      await writeFile(path, says(word).slice(0, 90));
      return await writeFile(path, says(word));
    default:
      return await folder.save(name, says(word));
  }
}
