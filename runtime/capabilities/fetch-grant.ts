/** The door of `fetch`: what a grant may say and what a call may ask for. A grant is compiled once here into a policy. */
import { z } from "zod";
import type { FetchInit } from "../../sandbox/index.ts";
import { recordOf } from "./bounded-grant.ts";
import type { Schema } from "./contract.ts";
import type { EgressPolicy, SecretHeader } from "./egress.ts";
import { URL_LENGTH_MAX, needsPrivate, parseAllowed } from "./egress-allow.ts";
import { headerFault, HEADERS_MAX, isForbiddenHeader, sameHeader } from "./egress-headers.ts";

/** What a grant of `fetch` says. Only `allow` is needed. */
export interface FetchGrant {
  /** `https://api.example.com`, `https://api.example.com/v1/` (that path and below), `https://*.example.com` (any name below). */
  readonly allow: readonly string[];
  /** Default: GET and HEAD. */
  readonly methods?: readonly string[] | undefined;
  /** Sent with every request; an agent cannot set them. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent to one origin, out of the Guardian's environment; the agent never sees them. */
  readonly secretHeaders?: Readonly<Record<string, SecretHeaderGrant | readonly SecretHeaderGrant[]>> | undefined;
  /**
   * Lets entries of `allow` through that name an address, localhost or a name of one word. Other names must have public
   * addresses all the same. Default false.
   */
  readonly privateAddresses?: boolean | undefined;
  /** Bytes of a body that is sent. Default 256 KiB. */
  readonly requestBytesMax?: number | undefined;
  /** Bytes of a body that is read, packed and unpacked. Default 8 MiB; `call` is also held to the quota's `answerBytesMax`. */
  readonly responseBytesMax?: number | undefined;
  /** 0 to 3. Default 3. */
  readonly redirectsMax?: number | undefined;
}

/** Where a secret header comes from. */
export interface SecretHeaderGrant {
  /** A variable of the Guardian's environment, read when it is used. */
  readonly env: string;
  /** Stands before the value: "Bearer ". */
  readonly prefix?: string | undefined;
  /** The origin that gets it. Needed where `allow` names more than one origin, or a wildcard. */
  readonly origin?: string | undefined;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
const REDIRECTS_MAX = 3; // security: enough for a moved page, too few to wander
const REQUEST_BYTES_MAX = 256 << 10; // a quarter of a message
const RESPONSE_BYTES_MAX = 8 << 20; // a quarter of the default heap
const BYTES_CEILING = 256 << 20; // what one call may hold the Guardian's memory for, at the very most
const ENTRIES_MAX = 256;

/** A grant is kept in the vault: a secret that stands in it by mistake would be, too. */
const SECRET_HINT = 'a variable of the environment is named, such as { env: "KEY", prefix: "Bearer " }';

const bytes = z.number().int().min(0).max(BYTES_CEILING);
const allowSchema = z.array(z.string().max(URL_LENGTH_MAX)).min(1).max(ENTRIES_MAX);
const secretSchema = z.strictObject({
  env: z.string().min(1).max(256),
  prefix: z.string().max(256).optional(),
  origin: z.string().max(URL_LENGTH_MAX).optional(),
});
const headersSchema = recordOf(z.string().max(256), z.string().max(8_192), HEADERS_MAX);

const grantSchema = z
  .strictObject({
    allow: allowSchema,
    methods: z.array(z.enum(METHODS)).min(1).optional(),
    headers: headersSchema.optional(),
    secretHeaders: z
      .record(z.string().max(256), z.union([secretSchema, z.array(secretSchema).min(1).max(64)], SECRET_HINT))
      .optional(),
    privateAddresses: z.boolean().optional(),
    requestBytesMax: bytes.optional(),
    responseBytesMax: bytes.optional(),
    redirectsMax: z.number().int().min(0).max(REDIRECTS_MAX).optional(),
  })
  .transform((grant, context): EgressPolicy => {
    const fault = (path: readonly (string | number)[], message: string): void => {
      context.addIssue({ code: "custom", path: [...path], message });
    };
    return compile(grant, fault);
  });

/** A grant of `fetch`, compiled. */
export const fetchGrant: Schema<EgressPolicy> = grantSchema;

type Fault = (path: readonly (string | number)[], message: string) => void;

function compile(grant: FetchGrant, fault: Fault): EgressPolicy {
  const isPrivate = grant.privateAddresses === true;
  return {
    allow: grant.allow.flatMap((text, index) => {
      const entry = parseAllowed(text);
      if (typeof entry === "string") fault(["allow", index], entry);
      else if (!isPrivate && needsPrivate(entry)) fault(["allow", index], PRIVATE_HINT);
      return typeof entry === "string" ? [] : [entry];
    }),
    methods: new Set(grant.methods ?? ["GET", "HEAD"]),
    headers: new Map(Object.entries(grant.headers ?? {}).map(([name, value]) => openHeader(name, value, fault))),
    secretHeaders: secretHeaders(grant, fault),
    privateAddresses: isPrivate,
    requestBytesMax: grant.requestBytesMax ?? REQUEST_BYTES_MAX,
    responseBytesMax: grant.responseBytesMax ?? RESPONSE_BYTES_MAX,
    redirectsMax: grant.redirectsMax ?? REDIRECTS_MAX,
  };
}

const PRIVATE_HINT = "this is this machine or its network; say privateAddresses: true if that is meant";

function openHeader(spelling: string, value: string, fault: Fault): [string, string] {
  const name = spelling.toLowerCase();
  const wrong = headerFault(name, value);
  if (wrong !== undefined) fault(["headers", spelling], `it ${wrong}`);
  else if (isForbiddenHeader(name)) fault(["headers", spelling], "it cannot be set; a cookie can be a secret header");
  else if (sameHeader(name) === "authorization")
    fault(["headers", spelling], "a grant is kept in the vault: use secretHeaders");
  return [name, value];
}

function secretHeaders(grant: FetchGrant, fault: Fault): readonly SecretHeader[] {
  const origins = new Set(grant.allow.flatMap(originOf));
  const only = origins.size === 1 && !grant.allow.some((text) => text.includes("*")) ? [...origins][0] : undefined;
  const taken = new Set(Object.keys(grant.headers ?? {}).map(sameHeader));
  return Object.entries(grant.secretHeaders ?? {}).flatMap(([spelling, given]) => {
    const name = spelling.toLowerCase();
    const path = ["secretHeaders", spelling];
    if (headerFault(name, "") !== undefined) fault(path, "it is no name of a header");
    else if (isForbiddenHeader(name) && name !== "cookie") fault(path, "it cannot be set");
    else if (taken.has(sameHeader(name))) fault(path, "headers has it too");
    return [given].flat().flatMap((secret: SecretHeaderGrant) => {
      const origin = secret.origin === undefined ? only : originOf(secret.origin)[0];
      if (origin === undefined)
        fault([...path, "origin"], "allow names several origins: say which one gets the secret");
      return origin === undefined ? [] : [{ name, origin, env: secret.env, prefix: secret.prefix ?? "" }];
    });
  });
}

function originOf(text: string): readonly string[] {
  const url = URL.parse(text);
  return url === null || url.origin === "null" ? [] : [url.origin];
}

const initSchema = z
  .strictObject({
    method: z.string().max(16).optional(),
    headers: headersSchema.optional(),
    body: z.union([z.string(), z.instanceof(Uint8Array)]).optional(),
    json: z.unknown().optional(),
    as: z.enum(["text", "json", "bytes"]).optional(),
    redirect: z.enum(["follow", "manual"]).optional(),
  })
  .refine(({ body, json }) => body === undefined || json === undefined, "body or json, not both");

/** The arguments of `fetch(url, init)`. */
export type FetchArgs = readonly [url: string, init?: FetchInit | undefined];

/** What checks them. */
export const fetchArgs: Schema<FetchArgs> = z.tuple([z.string().max(URL_LENGTH_MAX), initSchema.optional()]);
