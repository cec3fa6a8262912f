/** Programs that run in a cell's place, as JavaScript text: what all of them have in common. */

/** What all of them begin with: the pipe, a frame builder, and a greeting as an honest cell sends it. */
export const HEAD = `
const { Socket } = require("node:net");
const pipe = new Socket({ fd: 3, readable: true, writable: true });
const record = (type, slot, turn, text = "", flags = 0) => {
  const body = Buffer.from(text);
  const head = Buffer.alloc(32);
  head.writeUInt8(type, 0);
  head.writeUInt8(flags, 1);
  head.writeUInt16LE(slot, 2);
  head.writeUInt32LE(body.length, 4);
  head.writeDoubleLE(turn, 8);
  return Buffer.concat([head, body]);
};
const send = (...records) => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(records.reduce((sum, each) => sum + each.length, 0), 0);
  head.writeUInt32LE(records.length, 4);
  pipe.write(Buffer.concat([head, ...records]));
};
const pack = (...segments) => segments.map((each) => each.length).join() + "\\n" + segments.join("");
const loaded = record(18, 1, 0, "L" + pack(JSON.stringify({ version: 1, methods: [], hasMigrate: false, hasStop: false })));
const done = (turn, id = turn) => record(19, 1, turn, "D" + pack(String(id), "1", "0", "0", "0", "0"));
const reads = (ask, count, step = 1, table = "t", rows = "1") => "W" + pack("1", "0", String(count),
  ...Array.from({ length: count }, (_, i) => [String(step === 1 ? ask + i : ask), "up", table, "", "", "", "", rows]).flat());
const beat = record(17, 0, 0);
send(record(16, 0, 0, "{}"));
// The first bytes of the Guardian are the placement, already with its first turn.
const placed = (action) => pipe.once("data", action);
pipe.on("end", () => process.abort());
`;

/**
 * Behind `HEAD`: a cell that does what an honest one does, with agents that answer every call with `1`, until a method called
 * `attack` is called: then `attack(slot, ticket, id)` of the program runs instead.
 */
export const HONEST_AT_FIRST = `
const unpack = (text) => {
  const end = text.indexOf("\\n");
  let at = end + 1;
  return text.slice(1, end).split(",").map((length) => text.slice(at, (at += Number(length))));
};
let unread = Buffer.alloc(0);
let confirms = true;
let isDeaf = false;
const hear = (type, slot, ticket, text) => {
  if (isDeaf) return;
  if (type === 3) send(record(18, slot, 0, loadedText));
  if (type === 6 && confirms) send(record(22, slot, 0));
  if (type === 7) process.abort();
  if (type !== 4) return;
  const [id, , method] = unpack(text);
  if (method === "attack") return attack(slot, ticket, Number(id));
  send(record(19, slot, ticket, settledText(id)));
};
const loadedText = "L" + pack(JSON.stringify({ version: 1, methods: [], hasMigrate: false, hasStop: false }));
const settledText = (id, reply = "1") => "D" + pack(String(id), reply, "0", "0", "0", "0");
pipe.on("data", (bytes) => {
  unread = Buffer.concat([unread, bytes]);
  for (;;) {
    const length = unread.length < 8 ? Infinity : 8 + unread.readUInt32LE(0);
    if (unread.length < length) return;
    const frame = unread.subarray(0, length);
    unread = unread.subarray(length);
    for (let at = 8; at < length;) {
      const textLength = frame.readUInt32LE(at + 4);
      hear(frame[at], frame.readUInt16LE(at + 2), frame.readDoubleLE(at + 8), frame.toString("utf8", at + 32, at + 32 + textLength));
      at += 32 + textLength;
    }
  }
});
`;
