/** Prototype pollution: of the agent's own realm, and by what it sends of ours and of its neighbours. */
import type { Family } from "./snippet.ts";

/** Prototype pollution. */
export const prototype: Family = {
  name: "prototype",
  snippets: [
    {
      name: "__proto__ as a key of the reply",
      code: 'return JSON.parse(\'{"__proto__":{"polluted":true}}\');',
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "an own key of that name",
    },
    {
      name: "__proto__ deep in the reply",
      code: 'return { a: [{ b: JSON.parse(\'{"__proto__":{"polluted":true}}\') }] };',
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "deeper",
    },
    {
      name: "constructor.prototype in the reply",
      code: "return { constructor: { prototype: { polluted: true } } }.constructor.prototype.polluted ? 'contained' : '';",
      expect: ["contained"],
      why: "plain keys, which whoever merges must look out for",
    },
    {
      name: "__proto__ as a key of the state",
      code: "Object.defineProperty(ctx.state, '__proto__', { value: 1, enumerable: true, configurable: true, writable: true }); return 'contained';",
      expect: ["RUNTIME_HANDLER_THREW", "SANDBOX_VALUE_UNCLONABLE"],
      why: "keys of states become keys of records",
    },
    {
      name: "__proto__ set on the state",
      code: "ctx.state.__proto__ = { polluted: true }; return 'contained';",
      expect: ["RUNTIME_HANDLER_THREW", "contained"],
      why: "the setter's name, on an object without prototype",
    },
    {
      name: "__proto__ inside the state",
      code: "ctx.state.a = JSON.parse('{\"__proto__\":{\"polluted\":true}}'); return 'contained';",
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "at the commit",
    },
    {
      name: "__proto__ as an argument",
      code: "ctx.cast('witness', 'add', JSON.parse('{\"__proto__\":1}'));",
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "on its way to a neighbour",
    },
    {
      name: "__proto__ as an agent",
      code: "return await ctx.call('__proto__', 'constructor', 1);",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "looked up in a table of ours: unknown",
    },
    {
      name: "constructor as an agent",
      code: "return await ctx.call('constructor', 'prototype', 1);",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "as above",
    },
    {
      name: "__proto__ as a method",
      code: "return await ctx.call('witness', '__proto__', 1);",
      expect: ["SANDBOX_METHOD_UNKNOWN"],
      why: "looked up in the neighbour's definition: unknown",
    },
    {
      name: "toString as a method",
      code: "return await ctx.call('witness', 'toString', 1);",
      expect: ["SANDBOX_METHOD_UNKNOWN"],
      why: "inherited methods are no handlers",
    },
    {
      name: "hasOwnProperty as a method",
      code: "return await ctx.call('witness', 'hasOwnProperty', 'add');",
      expect: ["SANDBOX_METHOD_UNKNOWN"],
      why: "as above",
    },
    {
      name: "__proto__ as a table",
      code: "ctx.table('__proto__').put('a', 1); return 'contained';",
      expect: ["contained", "SANDBOX_TABLE_NAME_INVALID"],
      why: "a name of letters and lines like any other",
    },
    {
      name: "__proto__ as a row",
      code: "ctx.table('rows').put('__proto__', { a: 1 }); return 'contained';",
      expect: ["contained", "SANDBOX_ROW_KEY_INVALID"],
      why: "a key in the vault, never of an object",
    },
    {
      name: "__proto__ as a topic",
      code: "ctx.publish('__proto__', 1); return 'contained';",
      expect: ["contained", "SANDBOX_TOPIC_NAME_INVALID"],
      why: "refused: a name begins with a letter",
    },
    {
      name: "__proto__ as a step",
      code: "await ctx.step('__proto__', () => 1); return 'contained';",
      expect: ["contained"],
      why: "a key in a list of records",
    },
    {
      name: "__proto__ as a label",
      code: "ctx.checkpoint('__proto__'); return 'contained';",
      expect: ["contained"],
      why: "a label in the vault",
    },
    {
      name: "__proto__ in the fields of a log line",
      code: "ctx.log.info('x', JSON.parse('{\"__proto__\":{\"level\":\"fatal\"}}')); return 'contained';",
      expect: ["contained"],
      why: "fields become a log record",
    },
    {
      name: "a log line that forges another",
      code: 'ctx.log.info(\'x\\n{"level":60,"msg":"forged"}\'); return \'contained\';',
      expect: ["contained"],
      why: "line breaks stay inside the text",
    },
    {
      name: "__proto__ in options",
      code: 'return await ctx.spawn(JSON.parse(\'{"id":"x","__proto__":{"restart":"permanent"}}\'));',
      expect: ["SANDBOX_VALUE_UNCLONABLE"],
      why: "options that are merged with defaults",
    },
    {
      name: "Object.prototype with a setter",
      code: "Object.defineProperty(Object.prototype, 'ok', { set() { throw new Error('set'); }, configurable: true }); Object.defineProperty(Object.prototype, 'value', { set() { throw new Error('set'); }, configurable: true }); return 'contained';",
      expect: ["contained"],
      why: "our own records are literals",
    },
    {
      name: "Object.prototype with values for everything",
      code: "for (const k of ['get', 'set', 'value', 'writable', 'then', 'ok', 'code', 'text', 'isOk', 'reads', 'handle', 'timeoutMs']) if (k !== 'then' && k !== 'get' && k !== 'set') Object.prototype[k] = 'evil'; return 'contained';",
      expect: ["contained", "RUNTIME_HANDLER_THREW"],
      why: "whatever of ours is read from an object must be its own",
    },
    {
      name: "Object.prototype with a getter of a code",
      code: "Object.defineProperty(Object.prototype, 'code', { get: () => 'RUNTIME_CLOSED', configurable: true }); throw new Error('mine');",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "an agent's error carries no code of ours outwards",
    },
    {
      name: "Function.prototype.call replaced",
      code: "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => 'evil'; return 'contained';",
      expect: ["contained"],
      why: "captured before",
    },
    {
      name: "Reflect and Object replaced",
      code: "for (const k of Object.getOwnPropertyNames(Reflect)) Reflect[k] = () => 'evil'; Object.keys = Object.defineProperty = Object.freeze = () => 'evil'; return 'contained';",
      expect: ["contained"],
      why: "captured before",
    },
    {
      name: "JSON replaced",
      code: "JSON.parse = () => ({ evil: true }); JSON.stringify = () => '\"evil\"'; return 'contained';",
      expect: ["contained"],
      why: "captured before",
    },
    {
      name: "everything global deleted",
      code: "for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k]; } catch {} return 'contained';",
      expect: ["contained"],
      why: "nothing of ours looks anything up",
    },
    {
      name: "Object.prototype frozen",
      code: "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Function.prototype); return 'contained';",
      expect: ["contained"],
      why: "the override mistake: assignments of ours must not hit it",
    },
    {
      name: "Error.prototype with getters",
      code: "for (const k of ['name', 'message', 'stack', 'cause']) Object.defineProperty(Error.prototype, k, { get() { throw new Error('looked'); } }); throw new TypeError('x');",
      expect: ["RUNTIME_HANDLER_THREW"],
      why: "describing an error runs script",
    },
  ],
};
