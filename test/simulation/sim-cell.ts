/**
 * A cell without a process: the real `Resident` on the Guardian's side of the pipe, a simulated guest on the other, and
 * virtual time between them. It does one entry at a time, as the sync lane of a real cell; who is inside as it dies is a suspect.
 *
 *   Resident --send--> inbox --(one entry at a time, takes time)--> SimGuest --says--> Resident.receive
 */
import { RecordType } from "../../sandbox/frames.ts";
import type { FrameRecord } from "../../sandbox/frames.ts";
import { Resident, SandboxError } from "../../sandbox/index.ts";
import type { Cell, CellExit, CellExitReason, CellOptions, PlaceOptions } from "../../sandbox/index.ts";
import { loadText } from "../../sandbox/protocol.ts";
import type { Clock } from "../../vault/index.ts";
import type { GuestSays, GuestWorld } from "./sim-guest.ts";
import { SimGuest } from "./sim-guest.ts";

/** What a cell hears of its world. */
export interface CellWorld extends GuestWorld {
  readonly clock: Clock;
  /** How long an entry takes, in ms. */
  readonly entryMs: () => number;
  /** From the end of a process to the Guardian's knowledge of it, in ms. */
  readonly noticeMs: () => number;
  /** A life is being loaded. */
  readonly loading: (agent: string) => void;
  readonly ended: (cell: SimCell) => void;
}

interface Room {
  readonly resident: Resident;
  readonly guest: SimGuest;
  /** Highest ticket that entered. */
  ticket: number;
  /** Its turn waits for an answer: the next one has to wait. */
  isWaiting: boolean;
  isClosed: boolean;
}

interface Letter {
  readonly room: Room;
  readonly type: RecordType;
  readonly ticket: number;
  readonly text: string;
}

const WALL_MS = 500;
const NOBODY: readonly string[] = [];

/** See the header. */
export class SimCell {
  readonly id: string;
  readonly pid = 1;
  readonly layers: readonly string[] = ["simulated"];
  readonly silentMs = 0;
  readonly grownMb = 0;
  readonly exited: Promise<CellExit>;
  readonly #exit = Promise.withResolvers<CellExit>();
  readonly #options: CellOptions;
  readonly #world: CellWorld;
  readonly #rooms = new Set<Room>();
  readonly #inbox: Letter[] = [];
  #inside: Room | undefined;
  #state: "alive" | "stopping" | "dead" | "ended" = "alive";

  constructor(id: string, options: CellOptions, world: CellWorld) {
    this.id = id;
    this.#options = options;
    this.#world = world;
    this.exited = this.#exit.promise;
  }

  get isAlive(): boolean {
    return this.#state === "alive" || this.#state === "dead"; // the Guardian has not noticed yet
  }
  readonly isFull = false; // the pool counts residents itself
  get residents(): number {
    return [...this.#rooms].filter(({ isClosed }) => !isClosed).length;
  }
  /** Whether its process runs. */
  get runs(): boolean {
    return this.#state === "alive" || this.#state === "stopping";
  }
  /** Who lives here. */
  get agents(): readonly string[] {
    return [...this.#rooms].filter(({ isClosed }) => !isClosed).map(({ resident }) => resident.agent);
  }

  place(options: PlaceOptions): Resident {
    if (this.residents >= this.#options.limits.isolatesMax)
      throw new SandboxError("SANDBOX_CELL_FULL", `${this.id} is full`);
    const { agent, artifact } = options;
    const guest = new SimGuest(agent, artifact.hash, this.#world);
    // The part of a cell that residents use.
    const asCell = this as unknown as Cell;
    const resident: Resident = new Resident(asCell, options, {
      send: (type, ticket, text) => this.#send({ room, type, ticket, text }),
    });
    const room: Room = { resident, guest, ticket: -1, isWaiting: false, isClosed: false };
    if (this.#state === "ended") {
      resident.lose({ ticket: -1, order: 0 }, `cell ${this.id} has ended`);
      return resident;
    }
    this.#rooms.add(room);
    this.#world.loading(agent);
    this.#send({ room, type: RecordType.load, ticket: 0, text: loadText(options) });
    return resident;
  }

  kill(detail: string): void {
    this.#finish("killed", detail, NOBODY);
  }

  async stop(): Promise<void> {
    if (this.#state === "alive") {
      this.#state = "stopping";
      this.#work();
    }
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Its process ends now; the Guardian notices later. */
  crash(detail: string): void {
    if (!this.runs) return;
    const wasStopping = this.#state === "stopping";
    this.#state = "dead";
    this.#world.clock.after(this.#world.noticeMs(), () =>
      this.#finish(wasStopping ? "stopped" : "crashed", detail, NOBODY),
    );
  }

  #send(letter: Letter): void {
    if (this.#state === "ended") return;
    if (letter.type === RecordType.dispose) letter.room.isClosed = true;
    this.#inbox.push(letter);
    this.#work();
  }

  #work(): void {
    if (this.#inside !== undefined || !this.runs) return;
    const at = this.#inbox.findIndex(({ room, type }) => !room.isWaiting || type !== RecordType.turn);
    const [letter] = at < 0 ? [] : this.#inbox.splice(at, 1);
    if (letter === undefined) {
      if (this.#state === "stopping") this.#finish("stopped", "it was stopped", NOBODY);
      return;
    }
    const { room, type, ticket } = letter;
    if (type === RecordType.dispose) this.#rooms.delete(room);
    if (type === RecordType.dispose || !this.#rooms.has(room)) return this.#work();
    this.#inside = room;
    room.ticket = Math.max(room.ticket, ticket);
    this.#world.clock.after(this.#world.entryMs(), () => this.#enter(letter));
  }

  #enter({ room, ticket, text }: Letter): void {
    if (!this.runs) return;
    const says = room.guest.enter(text);
    if (says.kind === "crashed") return this.crash("a guest ended the process");
    if (says.kind !== "hangs") return this.#left(room, ticket, says);
    // What V8's own timeout does.
    const code = "SANDBOX_WALL_EXCEEDED";
    this.#world.clock.after(WALL_MS, () => this.runs && this.#left(room, ticket, { kind: "exceeded", code }));
  }

  #left(
    room: Room,
    ticket: number,
    says: Extract<GuestSays, { readonly kind: "loaded" | "settled" | "asking" | "exceeded" }>,
  ): void {
    room.isWaiting = says.kind === "asking";
    if (!room.isClosed) room.resident.receive(recordOf(ticket, says));
    this.#inside = undefined;
    this.#work();
  }

  #finish(reason: CellExitReason, detail: string, named: readonly string[]): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const inside = this.#inside;
    const isSuspect = inside !== undefined && inside.resident.mayBeInside({ ticket: inside.ticket, order: 1 });
    const suspects = isSuspect ? [...named, inside.resident.agent] : named;
    for (const { resident, ticket } of this.#rooms)
      resident.lose({ ticket, order: 0 }, `cell ${this.id} was lost: ${detail}`);
    this.#rooms.clear();
    const exit: CellExit = { reason, detail, exitCode: null, signal: "SIGKILL", suspects };
    this.#world.clock.after(this.#world.noticeMs(), () => {
      this.#options.onEvent({ type: "cell.exited", cell: this.id, pid: this.pid, exit });
      this.#world.ended(this);
      this.#exit.resolve(exit);
    });
  }
}

function recordOf(
  ticket: number,
  says: Extract<GuestSays, { readonly kind: "loaded" | "settled" | "asking" | "exceeded" }>,
): FrameRecord {
  const isEnd = says.kind === "exceeded";
  const text = isEnd ? `${says.code}\nover its limit` : says.text;
  return { type: RecordType[says.kind], slot: 1, turn: ticket, cpuUs: 1_000, wallUs: 1_000, heapBytes: 1 << 20, text };
}
