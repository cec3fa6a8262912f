/**
 * `Event`, `CustomEvent`, `EventTarget`, `AbortController` and `AbortSignal`, for code that is written with them. A listener that
 * throws stops no other one: what it threw goes to the log, as in a browser.
 */

import {
  append,
  apply,
  deleteProperty,
  isArray,
  mapDelete,
  mapGet,
  mapSet,
  NativeMap,
  NativeTypeError,
  toText,
} from "../primordials.ts";
import { domException } from "./dom-exception.ts";

/** The classes, which know each other. `report` is told what a listener threw. */
export interface EventClasses {
  readonly Event: unknown;
  readonly CustomEvent: unknown;
  readonly EventTarget: unknown;
  readonly AbortController: unknown;
  readonly AbortSignal: unknown;
}

interface EventOptions {
  readonly bubbles?: unknown;
  readonly cancelable?: unknown;
  readonly composed?: unknown;
}

interface Listener {
  readonly callback: unknown;
  readonly isCapture: boolean;
  readonly isOnce: boolean;
  isGone: boolean;
}

/** Makes them. `nowMs` is the time of events. */
export function eventClasses(report: (thrown: unknown) => void, nowMs: () => number): EventClasses {
  const { Event, CustomEvent, controls } = makeEvents(nowMs);
  const EventTarget = makeTarget(report, controls);
  const { AbortController, AbortSignal } = makeAbort(EventTarget, Event);
  return { Event, CustomEvent, EventTarget, AbortController, AbortSignal };
}

/** What a target does to an event that the event's owner cannot. */
interface EventControls {
  readonly aim: (event: unknown, target: object | null) => void;
  readonly isStopped: (event: unknown) => boolean;
  readonly typeOf: (event: unknown) => string;
}

function makeEvents(nowMs: () => number) {
  class Event {
    readonly #type: string;
    readonly #isCancelable: boolean;
    #target: object | null = null;
    #current: object | null = null;
    #isPrevented = false;
    #isStopped = false;
    readonly bubbles: boolean;
    readonly composed: boolean;
    readonly timeStamp: number = nowMs();

    static aim(this: void, event: Event, target: object | null): void {
      if (target !== null) event.#target = target;
      event.#current = target;
    }
    static isStopped(this: void, event: Event): boolean {
      return event.#isStopped;
    }
    static isEvent(this: void, event: unknown): event is Event {
      return typeof event === "object" && event !== null && #type in event;
    }

    constructor(type: unknown, options: EventOptions = {}) {
      this.#type = toText(type);
      this.#isCancelable = Boolean(options.cancelable);
      this.bubbles = Boolean(options.bubbles);
      this.composed = Boolean(options.composed);
    }
    get type(): string {
      return this.#type;
    }
    get target(): object | null {
      return this.#target;
    }
    get currentTarget(): object | null {
      return this.#current;
    }
    get cancelable(): boolean {
      return this.#isCancelable;
    }
    get defaultPrevented(): boolean {
      return this.#isPrevented;
    }
    preventDefault(): void {
      if (this.#isCancelable) this.#isPrevented = true;
    }
    stopPropagation(): void {}
    stopImmediatePropagation(): void {
      this.#isStopped = true;
    }
  }
  class CustomEvent extends Event {
    readonly detail: unknown;
    constructor(type: unknown, options: EventOptions & { detail?: unknown } = {}) {
      super(type, options);
      this.detail = options.detail ?? null;
    }
  }
  const { aim, isStopped, isEvent } = Event;
  // Ours alone: an agent could otherwise aim an event by itself.
  for (const key of ["aim", "isStopped", "isEvent"]) deleteProperty(Event, key);
  const asEvent = (event: unknown): Event => {
    if (isEvent(event)) return event;
    throw new NativeTypeError("dispatchEvent takes an Event");
  };
  const controls: EventControls = {
    aim: (event, target) => aim(asEvent(event), target),
    isStopped: (event) => isStopped(asEvent(event)),
    typeOf: (event) => asEvent(event).type,
  };
  return { Event, CustomEvent, controls };
}

function makeTarget(report: (thrown: unknown) => void, { aim, isStopped, typeOf }: EventControls) {
  return class EventTarget {
    readonly #listeners: Map<string, Listener[]> = new NativeMap();

    addEventListener(type: unknown, callback: unknown, options?: unknown): void {
      if (callback === null || callback === undefined) return;
      const { capture, once, signal } = optionsOf(options);
      if (signal !== undefined && (signal as { aborted?: unknown }).aborted === true) return; // any object can be asked
      const name = toText(type);
      const isCapture = Boolean(capture);
      const listeners = mapGet(this.#listeners, name) ?? [];
      if (indexOfListener(listeners, callback, isCapture) >= 0) return;
      mapSet(
        this.#listeners,
        name,
        without(listeners, -1, { callback, isCapture, isOnce: Boolean(once), isGone: false }),
      );
      if (signal instanceof EventTarget)
        signal.addEventListener("abort", () => this.removeEventListener(name, callback, isCapture));
    }
    removeEventListener(type: unknown, callback: unknown, options?: unknown): void {
      const name = toText(type);
      const listeners = mapGet(this.#listeners, name) ?? [];
      const at = indexOfListener(listeners, callback, Boolean(optionsOf(options).capture));
      const gone = listeners[at];
      if (gone === undefined) return;
      gone.isGone = true;
      const rest = without(listeners, at);
      if (rest.length === 0) mapDelete(this.#listeners, name);
      else mapSet(this.#listeners, name, rest);
    }
    dispatchEvent(event: unknown): boolean {
      const listeners = mapGet(this.#listeners, typeOf(event)) ?? [];
      aim(event, this);
      for (let index = 0; index < listeners.length && !isStopped(event); index++) {
        const listener = listeners[index];
        if (listener === undefined || listener.isGone) continue;
        if (listener.isOnce) this.removeEventListener(typeOf(event), listener.callback, listener.isCapture);
        tell(this, listener.callback, event, report);
      }
      aim(event, null);
      return !(event as { readonly defaultPrevented: boolean }).defaultPrevented; // `typeOf` has checked that it is an Event
    }
  };
}

function tell(target: object, callback: unknown, event: unknown, report: (thrown: unknown) => void): void {
  try {
    if (typeof callback === "function") {
      apply(callback as () => unknown, target, [event]); // a function, as just checked
      return;
    }
    const { handleEvent } = callback as { handleEvent?: unknown }; // null and undefined were not taken
    if (typeof handleEvent === "function") apply(handleEvent as () => unknown, callback, [event]); // as above
  } catch (thrown) {
    report(thrown);
  }
}

/** A copy, so that a dispatch in progress goes on with what it began with. */
function without(listeners: readonly Listener[], at: number, more?: Listener): Listener[] {
  const copy: Listener[] = [];
  for (let index = 0; index < listeners.length; index++) {
    const listener = listeners[index];
    if (index !== at && listener !== undefined) append(copy, listener);
  }
  if (more !== undefined) append(copy, more);
  return copy;
}

function indexOfListener(listeners: readonly Listener[], callback: unknown, isCapture: boolean): number {
  for (let index = 0; index < listeners.length; index++) {
    const listener = listeners[index];
    if (listener !== undefined && listener.callback === callback && listener.isCapture === isCapture) return index;
  }
  return -1;
}

function optionsOf(options: unknown): {
  readonly capture?: unknown;
  readonly once?: unknown;
  readonly signal?: unknown;
} {
  return typeof options === "object" && options !== null ? options : { capture: options };
}

type TargetClass = ReturnType<typeof makeTarget>;
type EventClass = ReturnType<typeof makeEvents>["Event"];

function makeAbort(EventTarget: TargetClass, Event: EventClass) {
  let isOurs = false;
  class AbortSignal extends EventTarget {
    onabort: unknown = null;
    #isAborted = false;
    #reason: unknown;

    constructor() {
      if (!isOurs) throw new NativeTypeError("use new AbortController(): a signal belongs to one");
      super();
    }
    static make(this: void): AbortSignal {
      isOurs = true;
      try {
        return new AbortSignal();
      } finally {
        isOurs = false;
      }
    }
    static end(this: void, signal: AbortSignal, reason: unknown): void {
      if (signal.#isAborted) return;
      signal.#isAborted = true;
      signal.#reason = reason === undefined ? domException("this was aborted", "AbortError") : reason;
      const event = new Event("abort");
      if (typeof signal.onabort === "function") signal.addEventListener("abort", signal.onabort, { once: true });
      signal.dispatchEvent(event);
    }
    get aborted(): boolean {
      return this.#isAborted;
    }
    get reason(): unknown {
      return this.#reason;
    }
    throwIfAborted(): void {
      if (this.#isAborted) throw this.#reason;
    }
    static abort(reason?: unknown): AbortSignal {
      const signal = make();
      end(signal, reason);
      return signal;
    }
    static any(signals: unknown): AbortSignal {
      const signal = make();
      const list = isArray(signals) ? signals : [...(signals as Iterable<unknown>)]; // throws where it is none
      for (let index = 0; index < list.length; index++) {
        const one: unknown = list[index];
        if (!(one instanceof AbortSignal)) throw new NativeTypeError("AbortSignal.any takes signals");
        if (one.aborted) end(signal, one.reason);
        else one.addEventListener("abort", () => end(signal, one.reason), { once: true });
      }
      return signal;
    }
    static timeout(): never {
      throw domException(
        "an agent has no timers: use ctx.after, or the time limit of the call itself",
        "NotSupportedError",
      );
    }
  }
  const { make, end } = AbortSignal;
  for (const key of ["make", "end"]) deleteProperty(AbortSignal, key);
  class AbortController {
    readonly signal: AbortSignal = make();
    abort(reason?: unknown): void {
      end(this.signal, reason);
    }
  }
  return { AbortController, AbortSignal };
}
