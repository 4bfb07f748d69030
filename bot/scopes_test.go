package bot_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countersign/bot"
)

// needs are the scopes of each method of slack-go's client that the bot calls, as Slack's reference has them: all that
// it needs for the places where the bot posts and reads.
var needs = map[string][]string{
	"AuthTestContext":               {}, // auth.test
	"StartSocketModeContext":        {}, // apps.connections.open: the app-level token, with connections:write
	"OpenViewContext":               {}, // views.open
	"UpdateViewContext":             {}, // views.update
	"PublishViewContext":            {}, // views.publish
	"PostMessageContext":            {"chat:write"},
	"PostEphemeralContext":          {"chat:write"},
	"UpdateMessageContext":          {"chat:write"},
	"GetUserInfoContext":            {"users:read"},
	"GetUsersPaginated":             {"users:read"},
	"GetUserGroupMembersContext":    {"usergroups:read"},
	"GetConversationInfoContext":    {"channels:read", "groups:read"},
	"GetConversationHistoryContext": {"channels:history", "groups:history", "im:history"},
	"GetConversationRepliesContext": {"channels:history", "groups:history"},
	"OpenConversationContext":       {"im:write"},
}

// TestScopes_CoverEveryMethod: the manifest asks for what the bot calls, and for no more.
func TestScopes_CoverEveryMethod(t *testing.T) {
	var have []string
	for _, s := range bot.Scopes() {
		have = append(have, s.Name)
		if s.Why == "" {
			t.Errorf("%s: nothing says what for", s.Name)
		}
	}
	needed := []string{"commands"} // the slash command
	for name, at := range clientCalls(t) {
		scopes, known := needs[name]
		if !known {
			t.Errorf("%s: %s is called, and this test does not know what scope it needs", at, name)
		}
		needed = append(needed, scopes...)
	}
	slices.Sort(have)
	slices.Sort(needed)
	if needed = slices.Compact(needed); !slices.Equal(have, needed) {
		t.Errorf("the manifest asks for %v, the calls need %v", have, needed)
	}
}

// clientCalls are the methods that the package calls on a field or variable named client, and where.
func clientCalls(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]string{}
	fset := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			field, isField := sel.X.(*ast.SelectorExpr)
			variable, isVariable := sel.X.(*ast.Ident)
			if isField && field.Sel.Name == "client" || isVariable && variable.Name == "client" {
				calls[sel.Sel.Name] = fset.Position(sel.Pos()).String()
			}
			return true
		})
	}
	if len(calls) < 8 {
		t.Errorf("only %d calls were found: %v", len(calls), calls)
	}
	return calls
}
