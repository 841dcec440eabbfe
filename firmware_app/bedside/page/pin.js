// The PIN: sent once, kept nowhere.

import { byId, post, say } from "/dom.js";

byId("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await post("/pin", { pin: byId("pin").value });
  byId("pin").value = "";
  if (answer.ok) location.assign("/");
  else {
    say(byId("answer"), answer);
    byId("pin").focus();
  }
});
