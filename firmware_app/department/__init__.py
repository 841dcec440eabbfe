"""The department page: every appliance of a hospital on a wall screen or a phone, straight from its broker.

`assembly` puts it together: one static file, in it one library (mqtt.js); the hospital builds nothing.
`ward.js` knows what the messages mean, `card.js` shows one appliance, `wall.js` sizes and sorts the cards,
`app.js` talks to the broker, `words.js` holds the page's own words, and `sentences` brings in what the
appliance says from the one table in `firmware_app.wording`. Setting it up: docs/department.md.
"""
