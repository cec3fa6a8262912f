/**
 * The audit's traffic: requests drawn from a seed, and how right an answer is. Pure: the n-th request of a seed is always the
 * same, so every candidate meets the same stream, and streams of two seeds share nothing.
 */
import { createHash } from "node:crypto";

/** A request to the agent of the audit. */
export interface AuditRequest {
  readonly method: "open" | "close" | "route" | "list" | "figures";
  readonly argument: unknown;
}

/** A ticket, as the agent takes it. */
export interface Ticket {
  readonly id: string;
  readonly customer: string;
  readonly urgency: number;
  readonly history: number;
  readonly length: number;
}

/** Customers whose tickets come again and again. */
const CUSTOMERS = 12;
/** A ticket is ended about this many requests after it came. */
const CLOSED_AFTER = 40;

/** The n-th request of a stream. */
export function requestAt(seed: number, index: number): AuditRequest {
  switch (index % 10) {
    case 0:
    case 3:
      return { method: "open", argument: ticketAt(seed, index) };
    case 6:
      return { method: "close", argument: ticketId(seed, index - CLOSED_AFTER - 6) };
    case 8:
      return { method: "list", argument: customerOf(draw(seed, index, "customer")) };
    case 9:
      return { method: "figures", argument: null };
    default:
      return { method: "route", argument: ticketAt(seed, index) };
  }
}

/** Whose session a request belongs to. */
export function sessionOf(argument: unknown): string {
  if (typeof argument === "object" && argument !== null && "customer" in argument) return String(argument.customer);
  return String(argument);
}

/** How right an answer is: 1 or 0 for where a ticket goes, `undefined` where the answer must be exact. */
export function fitnessOf(method: string, argument: unknown, reply: unknown): number | undefined {
  if (method !== "route") return undefined;
  const to = typeof reply === "object" && reply !== null && "to" in reply ? reply.to : undefined;
  return to === rightPlaceOf(argument as Ticket) ? 1 : 0; // the argument is the audit's own
}

/** Where a ticket belongs. The agents know nothing of the last term: nobody is right every time. */
function rightPlaceOf(ticket: Ticket): string {
  const luck = (share(`luck ${ticket.id}`) - 0.5) * 0.12;
  const score = 0.7 * ticket.urgency + 0.3 * ticket.history + luck;
  return score > 0.6 ? "now" : score > 0.3 ? "later" : "never";
}

function ticketAt(seed: number, index: number): Ticket {
  return {
    id: ticketId(seed, index),
    customer: customerOf(draw(seed, index, "customer")),
    urgency: rounded(draw(seed, index, "urgency")),
    history: rounded(draw(seed, index, "history")),
    length: rounded(draw(seed, index, "length")),
  };
}

function ticketId(seed: number, index: number): string {
  return `t${seed}-${index}`;
}

function customerOf(value: number): string {
  return `c${Math.floor(value * CUSTOMERS)}`;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function draw(seed: number, index: number, what: string): number {
  return share(`${seed} ${index} ${what}`);
}

/** A number in [0, 1) that belongs to a text. */
function share(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32LE(0) / 0x1_0000_0000;
}
