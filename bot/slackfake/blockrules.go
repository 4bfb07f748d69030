package slackfake

import "fmt"

// crossRules are the rules that look at more than one place and that a schema cannot say.
func crossRules(surface string, value map[string]any) []problem {
	blocks, _ := value["blocks"].([]any)
	var out []problem
	out = append(out, uniqueBlockIDs(blocks)...)
	out = append(out, uniqueActionIDs(blocks)...)
	out = append(out, limitMarkdown(blocks)...)
	if surface == "modal" {
		out = append(out, limitBlocks(blocks)...)
		out = append(out, inputNeedsSubmit(value, blocks)...)
	}
	if surface == "home" {
		out = append(out, limitBlocks(blocks)...)
	}
	return out
}

func uniqueBlockIDs(blocks []any) []problem {
	var out []problem
	seen := map[string]bool{}
	for i, b := range blocks {
		block, _ := b.(map[string]any)
		id, _ := block["block_id"].(string)
		if id != "" && seen[id] {
			out = append(out, problem{"`block_id` already exists: " + id, fmt.Sprintf("/blocks/%d/block_id", i), "unique"})
		}
		seen[id] = true
	}
	return out
}

func uniqueActionIDs(blocks []any) []problem {
	var out []problem
	for i, b := range blocks {
		seen := map[string]bool{}
		eachElement([]any{b}, func(_ string, e map[string]any) {
			id, _ := e["action_id"].(string)
			if id != "" && seen[id] {
				out = append(out, problem{"`action_id` already exists: " + id, fmt.Sprintf("/blocks/%d/elements", i), "unique"})
			}
			seen[id] = true
		})
	}
	return out
}

// limitMarkdown holds the sum over a message's markdown blocks to 12,000 characters.
func limitMarkdown(blocks []any) []problem {
	total := 0
	for i, b := range blocks {
		block, _ := b.(map[string]any)
		if block["type"] != "markdown" {
			continue
		}
		text, _ := block["text"].(string)
		if total += len([]rune(text)); total > 12000 {
			return []problem{{"must be less than 12001 characters", fmt.Sprintf("/blocks/%d/text", i), "maxLength"}}
		}
	}
	return nil
}

func limitBlocks(blocks []any) []problem {
	if len(blocks) <= 100 {
		return nil
	}
	return []problem{{"no more than 100 items allowed", "/blocks", "maxItems"}}
}

func inputNeedsSubmit(view map[string]any, blocks []any) []problem {
	if view["submit"] != nil {
		return nil
	}
	for _, b := range blocks {
		if block, _ := b.(map[string]any); block["type"] == "input" {
			return []problem{{"missing required field: submit (view contains an input block)", "/view/submit", "required"}}
		}
	}
	return nil
}
