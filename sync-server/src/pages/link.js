
"use strict";
const at = (id) => document.getElementById(id);
const code = at("code");

// From here on the token is in this page alone, and not in the history of the browser.
const take = () => {
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  at("missing").hidden = at("field").hidden = code.value !== "";
  at("form").hidden = false;
  at("status").textContent = "";
};
take();
// Another link opened in this window does not load the page again.
addEventListener("hashchange", take);

const refusals = {
  400: "This link was used before, is too old, or is not complete. Ask for a new one.",
  422: "This is not a code from a letter. Copy all of it, and nothing else.",
  429: "Too many attempts. Wait a few minutes and try again.",
};

// The default mode of `fetch` makes the browser name the origin of this page, which the server insists on.
const redeem = () => fetch("/v1/auth/link/redeem", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ token: code.value.trim(), session: "cookie" }),
  redirect: "error",
});

const show = (answer) => {
  at("form").hidden = answer.ok;
  if (answer.ok) code.value = "";
  at("status").textContent = answer.ok
    ? "You are signed in. You may close this page."
    : refusals[answer.status] || "That did not work. Try again in a moment.";
};

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("go").disabled = true;
  at("status").textContent = "Signing in…";
  try {
    show(await redeem());
  } catch {
    at("status").textContent = "The server cannot be reached. Try again.";
  }
  at("go").disabled = false;
});
