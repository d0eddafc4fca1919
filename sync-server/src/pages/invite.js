
"use strict";
const at = (id) => document.getElementById(id);
if (location.hash.length > 1) {
  at("code").value = location.hash.slice(1);
  at("code").addEventListener("focus", () => at("code").select());
  at("field").hidden = false;
  // The code stays on this page, and out of the history of the browser.
  history.replaceState(null, "", location.pathname);
}
