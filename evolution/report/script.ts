/** The report's one script: a node of the tree that is touched shows its card. Without it the page says all but that. */
import { markup } from "./html.ts";
import type { Html } from "./html.ts";

/** See the header. */
export const script: Html = markup`
"use strict";
{
  const panel = document.getElementById("panel");
  let chosen;
  const show = (node) => {
    const card = document.getElementById(node.dataset.card);
    if (!card || node === chosen) return;
    if (chosen) chosen.classList.remove("on");
    chosen = node;
    node.classList.add("on");
    panel.replaceChildren(...[...card.childNodes].map((child) => child.cloneNode(true)));
  };
  for (const node of document.querySelectorAll(".node")) {
    for (const kind of ["pointerenter", "focus", "click"]) node.addEventListener(kind, () => show(node));
  }
  const ring = document.querySelector(".node .ring");
  if (ring) {
    show(ring.parentNode);
    const scroller = ring.closest(".scroll");
    const box = ring.getBBox();
    scroller.scrollLeft = box.x - scroller.clientWidth / 2;
    scroller.scrollTop = box.y - scroller.clientHeight / 2;
  }
}
`;
