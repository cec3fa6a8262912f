/** `DOMException`: the errors of the web's globals, told apart by `name`. */

import { define, NativeError, toText } from "../primordials.ts";

let made: (new (message?: unknown, name?: unknown) => Error) | undefined;

/** The class; made when it is first needed. */
export function domExceptionClass(): new (message?: unknown, name?: unknown) => Error {
  made ??= makeClass();
  return made;
}

/** An instance. */
export function domException(message: string, name: string): Error {
  return new (domExceptionClass())(message, name);
}

function makeClass(): new (message?: unknown, name?: unknown) => Error {
  class DOMException extends NativeError {
    constructor(message: unknown = "", name: unknown = "Error") {
      super(toText(message));
      define(this, "name", toText(name));
    }
  }
  return DOMException;
}
