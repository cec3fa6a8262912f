/**
 * The agent on which the arbiter is audited: it takes tickets in, says where each goes, and ends them. Most of what it answers
 * must be exact; where a ticket goes is a judgement, right more or less often.
 */
import { agent } from "planaria/agent";

/** A ticket; all numbers lie between 0 and 1. */
interface Ticket {
  readonly id: string;
  readonly customer: string;
  readonly urgency: number;
  readonly history: number;
  readonly length: number;
}

/** Tickets that stay open; the oldest go first. */
const OPEN_MAX = 60;
/** Rounds of the mark that is put on a ticket: most of the agent's work. */
const ROUNDS = 300;

export default agent({
  version: 1,
  state: () => ({
    // Empty, they are of any type.
    open: [] as Ticket[],
    seen: {} as Record<string, number>,
    opened: 0,
    closed: 0,
  }),
  on: {
    /** Takes a ticket in; the answer is how many are open. */
    open(ctx, ticket: Ticket): number {
      ctx.state.open.push(ticket);
      ctx.state.seen[ticket.customer] = (ctx.state.seen[ticket.customer] ?? 0) + 1;
      ctx.state.opened += 1;
      if (ctx.state.open.length > OPEN_MAX) ctx.state.open.splice(0, ctx.state.open.length - OPEN_MAX);
      return ctx.state.open.length;
    },
    /** Ends a ticket; true when it was open. */
    close(ctx, id: string): boolean {
      const index = ctx.state.open.findIndex((ticket) => ticket.id === id);
      if (index < 0) return false;
      ctx.state.open.splice(index, 1);
      ctx.state.closed += 1;
      return true;
    },
    /** Where a ticket goes, with a mark by which others find it. */
    route: {
      reads: true,
      handle: (_ctx, ticket: Ticket): { to: string; mark: number } => ({
        to: placeOf(ticket),
        mark: markOf(ticket.id),
      }),
    },
    /** The open tickets of a customer, oldest first, and how many there ever were. */
    list: {
      reads: true,
      handle(ctx, customer: string): { open: string[]; ever: number } {
        const open = ctx.state.open.filter((ticket) => ticket.customer === customer);
        return { open: open.map((ticket) => ticket.id), ever: ctx.state.seen[customer] ?? 0 };
      },
    },
    figures: {
      reads: true,
      handle: (ctx): number[] => [ctx.state.opened, ctx.state.closed, ctx.state.open.length],
    },
  },
});

/** By urgency alone: right for about seven tickets of ten. */
function placeOf(ticket: Ticket): string {
  if (ticket.urgency > 0.6) return "now";
  if (ticket.urgency > 0.3) return "later";
  return "never";
}

/** A number between 0 and 65,535. */
function markOf(text: string): number {
  let mark = 7;
  for (let round = 0; round < ROUNDS; round++) {
    for (let index = 0; index < text.length; index++) mark = (mark * 31 + text.charCodeAt(index)) % 65_536;
  }
  return mark;
}
