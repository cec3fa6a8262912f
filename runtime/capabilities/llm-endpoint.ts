/**
 * A model's endpoint for the Guardian's own questions: the client and the egress that agents' questions pass, without an agent. The
 * same checks hold: the key goes to its origin alone and is taken out of what comes back.
 */
import type { ChatAnswer, ChatRequest } from "../../sandbox/index.ts";
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import { Egress } from "./egress.ts";
import { requestHash } from "./llm-cassette.ts";
import { LlmClient, type LlmCall } from "./llm-client.ts";
import { llmGrant, type LlmGrant, type LlmPolicy } from "./llm-grant.ts";
import { requestBody } from "./llm-protocol.ts";
import { Secrets } from "./secrets.ts";

/** What an endpoint is made of. */
export interface LlmEndpointOptions {
  /** As an agent's grant says it. Limits on tokens and recorded answers are the caller's business. */
  readonly grant: Pick<LlmGrant, "endpoint" | "key" | "models" | "maxTokensField" | "privateAddresses">;
  /** Where the key is. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** From 0 up to, not including, 1: spreads tries in time. */
  readonly chance: () => number;
}

/** See the header. Keeps nothing between requests. */
export class LlmEndpoint {
  readonly #options: LlmEndpointOptions;
  readonly #policy: LlmPolicy;
  readonly #egress = new Egress();
  readonly #secrets: Secrets;

  /** @throws {RuntimeError} RUNTIME_CAPABILITY_INVALID where the grant is none, with its words. */
  constructor(options: LlmEndpointOptions) {
    const parsed = llmGrant.safeParse(options.grant);
    if (!parsed.success) {
      const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
      throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", `This is no endpoint: ${issues.join("; ")}.`, {
        details: { issues },
      });
    }
    this.#options = options;
    this.#policy = parsed.data;
    this.#secrets = new Secrets(options.env);
  }

  /** Names a request by all that is sent: SHA-256 of its body as JSON with sorted keys, in hex. */
  hash(request: ChatRequest): string {
    return requestHash(requestBody(request, this.#policy.maxTokensField));
  }

  /** Asks. Waits and tries again where that may help. Throws as `LlmClient.chat`, and UNAVAILABLE where the key is not there. */
  chat(request: ChatRequest, call: LlmCall): Promise<ChatAnswer> {
    const { clock, chance } = this.#options;
    const { url, egress: policy, maxTokensField, keyVariable } = this.#policy;
    const leave = {
      policy,
      signal: call.signal,
      secret: (variable: string) => this.#secrets.read(variable),
      note: () => undefined,
    };
    const send = (asked: Parameters<Egress["open"]>[0]) => this.#egress.open(asked, leave);
    return new LlmClient({ send, url, maxTokensField, keyVariable, clock, chance }).chat(request, call);
  }
}
