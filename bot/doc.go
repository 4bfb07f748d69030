// Package bot is Countersign's Slack surface: it turns what Slack delivers into commands, and what is stored into
// messages.
//
//	slash command, click, form -> parse -> workflow.Engine -> commit -> acknowledgement
//	stored effects -> workflow.Runner -> Bot.Show, Bot.Tell -> chat.update, chat.postMessage
//
// Invariants:
//
//   - Nothing is acknowledged before it is committed, except a click that is refused, whose refusal is the answer.
//   - Who acts is Slack's own user ID and team ID of the payload, looked up at the act; never a button's value, a name
//     or a text.
//   - A button carries a request's number; its action_id is the verb. A click counts only from the request's card or
//     from the clicker's own Home.
//   - Every text from a person or a cloud is escaped once, when it is shown, and cut on characters to Slack's limits.
//   - Socket Mode and HTTP deliver into the same two functions.
package bot
