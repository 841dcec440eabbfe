"""The department page: every appliance of a hospital on a wall screen or a phone, straight from its broker.

Static files that a web server or the broker itself hands out; no build step, one library (mqtt.js).
`ward.js` knows what the messages mean, `card.js` shows one appliance, `wall.js` sizes and sorts the cards,
`app.js` talks to the broker, `words.js` holds the page's own words. `sentences.js` is what the appliance
says, written by `sentences` from the one table in `firmware_app.wording`. Setting it up: docs/department.md.
"""
