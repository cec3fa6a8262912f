/**
 * `URL` and `URLSearchParams`, as the standard has them. 30 KB: they are no part of every isolate, but come with the code of the
 * agents that name them (compile.ts). The one place that knows whatwg-url-minimum (jsdom's parser, made small for Expo).
 */

export { URL, URLSearchParams } from "whatwg-url-minimum";
