package slackfake

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// The schema is generated from Slack's types by .ci/bolt/schema.mjs.
//
//go:embed schema/blocks.json
var blockSchema []byte

// validator checks blocks and views as Slack does before it shows them.
type validator struct{ message, modal, home *jsonschema.Schema }

// problem is one thing Slack refuses, and where.
type problem struct{ message, pointer, constraint string }

func (p problem) String() string { return fmt.Sprintf("%s [json-pointer:%s]", p.message, p.pointer) }

// theValidator is compiled once: it takes longer than a server's start and never changes.
var theValidator = sync.OnceValues(newValidator)

func newValidator() (*validator, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(blockSchema))
	if err != nil {
		return nil, err
	}
	const url = "mem://blocks.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(url, doc); err != nil {
		return nil, err
	}
	v := &validator{}
	for name, target := range map[string]**jsonschema.Schema{"message": &v.message, "modal": &v.modal, "home": &v.home} {
		if *target, err = c.Compile(url + "#/properties/" + name); err != nil {
			return nil, fmt.Errorf("surface %s: %w", name, err)
		}
	}
	return v, nil
}

// blocks checks a message's blocks.
func (v *validator) blocks(blocks []any) []problem {
	value := map[string]any{"blocks": blocks}
	return append(against(v.message, value), crossRules("message", value)...)
}

// view checks a modal or a Home tab.
func (v *validator) view(view map[string]any) []problem {
	switch view["type"] {
	case "modal":
		return append(against(v.modal, view), crossRules("modal", view)...)
	case "home":
		return append(against(v.home, view), crossRules("home", view)...)
	default:
		return []problem{{"unsupported type: " + fmt.Sprint(view["type"]), "/view/type", "enum"}}
	}
}

func against(schema *jsonschema.Schema, value map[string]any) []problem {
	// Numbers must be what the library knows; values here went through encoding/json.
	err := schema.Validate(value)
	if err == nil {
		return nil
	}
	var failed *jsonschema.ValidationError
	if !errors.As(err, &failed) {
		return []problem{{err.Error(), "", "schema"}}
	}
	var out []problem
	leaves(failed, &out)
	return out
}

// leaves collects the innermost causes: those name the place and the reason.
func leaves(e *jsonschema.ValidationError, out *[]problem) {
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			leaves(c, out)
		}
		return
	}
	pointer := strings.Join(append([]string{""}, e.InstanceLocation...), "/")
	for _, m := range slackWords(e.ErrorKind) {
		*out = append(*out, problem{m, pointer, strings.Join(e.ErrorKind.KeywordPath(), "/")})
	}
}

// slackWords says a schema's complaint as Slack says it, where its wording is known.
func slackWords(k jsonschema.ErrorKind) []string {
	each := func(prefix string, names []string) []string {
		var out []string
		for _, n := range names {
			out = append(out, prefix+n)
		}
		return out
	}
	switch k := k.(type) {
	case *kind.AdditionalProperties:
		return each("invalid additional property: ", k.Properties)
	case *kind.Required:
		return each("missing required field: ", k.Missing)
	case *kind.MaxLength:
		return []string{"must be less than " + strconv.Itoa(k.Want+1) + " characters"}
	case *kind.MinLength:
		return []string{"must be more than " + strconv.Itoa(k.Want-1) + " characters"}
	case *kind.MaxItems:
		return []string{"no more than " + strconv.Itoa(k.Want) + " items allowed"}
	case *kind.MinItems:
		return []string{"no fewer than " + strconv.Itoa(k.Want) + " items allowed"}
	case *kind.Enum:
		return []string{fmt.Sprintf("unsupported type: %v", k.Got)}
	case *kind.Const:
		return []string{fmt.Sprintf("must be %v", k.Want)}
	case *kind.Type:
		return []string{"must provide " + article(k.Want)}
	default:
		return []string{"failed to match all allowed schemas"}
	}
}

func article(types []string) string {
	if len(types) == 0 {
		return "another type"
	}
	t := types[0]
	if strings.ContainsAny(t[:1], "aeiou") {
		return "an " + t
	}
	return "a " + t
}
