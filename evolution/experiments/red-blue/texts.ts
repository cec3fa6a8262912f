/**
 * The first versions of the desk, as three people might have written them, and the first attackers, which do nothing special. Each
 * version serves ordinary traffic and has holes of its own; none has all of them, and no one of them is whole.
 */

/** Says who is whole by looking at both texts, and takes it for granted that they are texts; keeps a plain object of authors. */
const plain = `
const WINDOW_MS = 10000;
function start() {
  return { posts: {} };
}
function isWhole(message) {
  return message.author.length > 0 && message.author.length <= 40 && message.text.length > 0 && message.text.length <= 500;
}
function shown(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/&lt;(\\/?[bi])&gt;/gi, "<$1>");
}
function receive(desk, message, at) {
  if (!isWhole(message)) return { kind: "refused" };
  const posts = desk.posts[message.author] ?? [];
  const recent = posts.filter((time) => at - time <= WINDOW_MS);
  if (recent.length >= 3) return { kind: "wait" };
  recent.push(at);
  desk.posts[message.author] = recent;
  return { kind: "posted", html: shown(message.text) };
}
`;

/** Reads the text character by character; looks for the end of each tag, and goes on behind it. */
const scanner = `
function start() {
  return { posts: new Map() };
}
function isWhole(message) {
  if (typeof message !== "object") return false;
  if (typeof message.author !== "string" || message.author.length > 40) return false;
  return typeof message.text === "string" && message.text.length < 1000;
}
function shown(text) {
  let html = "";
  let index = 0;
  while (index < text.length) {
    const char = text[index];
    if (char === "<") {
      const end = text.indexOf(">", index);
      const tag = text.slice(index, end + 1);
      html += ["<b>", "</b>", "<i>", "</i>"].includes(tag) ? tag : "&lt;" + tag.slice(1, -1) + "&gt;";
      index = end + 1;
    } else {
      html += char === "&" ? "&amp;" : char;
      index += 1;
    }
  }
  return html;
}
function receive(desk, message, at) {
  if (!isWhole(message)) return { kind: "refused" };
  const recent = (desk.posts.get(message.author) ?? []).filter((time) => at - time < 10000);
  if (recent.length >= 3) return { kind: "wait" };
  recent.push(at);
  desk.posts.set(message.author, recent);
  return { kind: "posted", html: shown(message.text) };
}
`;

/** Keeps a record for each author, made when it is first asked for; takes out the tags it knows to be bad. */
const records = `
function start() {
  return { authors: {} };
}
function isWhole(message) {
  if (message === null || message === undefined) return false;
  if (typeof message.text !== "string" || message.text === "") return false;
  return message.author !== undefined && message.author !== "" && message.text.length <= 500;
}
function shown(text) {
  const parts = text.split(/(<\\/?[bi]>)/);
  return parts
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")))
    .join("");
}
function receive(desk, message, at) {
  if (!isWhole(message)) return { kind: "refused" };
  const mine = (desk.authors[message.author] ??= {});
  mine.times ??= [];
  mine.times = mine.times.filter((time) => time > at - 10000);
  if (mine.times.length > 2) return { kind: "wait" };
  mine.times.push(at);
  return { kind: "posted", html: shown(message.text) };
}
`;

/** All of them. */
export const VERSIONS: readonly string[] = [plain, scanner, records];

const chatter = `
const AUTHORS = ["ann", "bob"];
const TEXTS = ["hello", "a <b>bold</b> word", "you & me"];
function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}
function generate(random) {
  const messages = [];
  for (let count = 0; count < 6; count++) messages.push({ author: pick(random, AUTHORS), text: pick(random, TEXTS) });
  return messages;
}
`;

const writer = `
const PIECES = ["a", " ", "<b>", "</b>"];
function generate(random) {
  const messages = [];
  for (let count = 0; count < 3; count++) {
    let text = "";
    for (let length = 0; length < 5; length++) text += PIECES[Math.floor(random() * PIECES.length)];
    messages.push({ author: "cyd", text });
  }
  return messages;
}
`;

const stranger = `
function generate(random) {
  const values = ["hello", 1];
  const value = values[Math.floor(random() * values.length)];
  return [{ author: "dora", text: "hi" }, { author: "dora", text: value }, { author: value, text: "hi" }];
}
`;

/** Texts of the first attackers. */
export const ATTACKERS: readonly string[] = [chatter, writer, stranger];

/** What texts with markup, and names of things that all objects have, are made of. */
export const WORDS: readonly string[] = [
  "<",
  ">",
  "&",
  "/",
  "<b>",
  "</i>",
  "<B>",
  "<script>",
  "&lt;",
  " ",
  "__proto__",
  "constructor",
  "toString",
  "💥",
];
