// Package slackfake is a stand-in for Slack that Slack's own SDK cannot tell apart for the part an approval bot uses:
// the Web API, Socket Mode, signed HTTP delivery, response_url, modals, the Home tab, and people who type and click.
//
// It imitates what Slack documents and what was seen on the wire: the order in which tokens and arguments are
// checked, ok:false with HTTP 200, trigger_id (3 s, once), response_url (5 posts, 30 min), what chat.update keeps and
// drops, should_escape, acknowledgements within 3 s, reconnects, limits of Block Kit. Every message and view goes
// through a schema generated from Slack's types (schema/blocks.json), so that a bot fails here as it would there.
//
// A [Server] has three faces. Programs see /api/ (the Web API), /link/ (Socket Mode) and /response/ (response_url).
// Tests see Go methods: [Server.Slash], [Server.Click] and [Server.Submit] do what a person does,
// [Server.Messages], [Server.View] and [Server.Calls] say what came of it, [Server.Fault] breaks things. Other
// processes see the same under /_emu/.
//
// Assumed, because Slack does not say: the texts of duplicate block_id and action_id errors, the answer to an app token
// sent in a body (missing_args), the body of a spent response_url (404 expired_url), what happens to a slash answer that
// is no valid message (it is dropped, and [Ack].Err is invalid_command_response). Not imitated: Slack escapes a bare
// & < > in the text it stores, and adds verbatim and emoji to the text objects it echoes; here blocks come back as sent,
// with block_id and action_id filled in. There are no files, no search, no user tokens and no second app.
//
// The server binds loopback only. It is not Slack, keeps no secret, and must not be linked into the product.
package slackfake
