/** What a tool answered, as an agent gets it: parts of text, bytes and links, and the structured value where there is one. */
import type { McpAnswer, McpPart } from "../../sandbox/index.ts";
import type { McpToolAnswer } from "./mcp-package.ts";
import { plainJson } from "./mcp-tools.ts";

/** The answer for the agent. What the protocol adds for hosts with a screen is left out. */
export function answerOf({ content, isError, structuredContent }: McpToolAnswer): McpAnswer {
  const answer = { isError: isError === true, content: content.map(partOf) };
  return structuredContent === undefined ? answer : { ...answer, structured: plainJson(structuredContent) };
}

function partOf(part: McpToolAnswer["content"][number]): McpPart {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "image":
    case "audio":
      return { type: part.type, mimeType: part.mimeType, bytes: bytesOf(part.data) };
    case "resource": {
      const { resource } = part;
      const head = { type: "resource" as const, uri: resource.uri, ...mimeTypeOf(resource) };
      return "text" in resource ? { ...head, text: resource.text } : { ...head, bytes: bytesOf(resource.blob) };
    }
    case "resource_link":
      return { type: "link", uri: part.uri, name: part.name, ...mimeTypeOf(part) };
  }
}

function mimeTypeOf({ mimeType }: { readonly mimeType?: string | undefined }): { readonly mimeType?: string } {
  return mimeType === undefined ? {} : { mimeType };
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}
