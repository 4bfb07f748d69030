package app

import (
	"fmt"
	"os"
	"strings"

	"countersign/bot"
)

// secrets are what the environment holds. They are passed on and never printed: the type has no exported field, and no
// method that shows one.
type secrets struct {
	botToken, appToken, signingSecret string
	systems                           map[string]keyPair
}

type keyPair struct{ key, secret string }

// String keeps the secrets out of whatever prints them by mistake.
func (*secrets) String() string { return "[secrets]" }

// GoString does the same for %#v.
func (*secrets) GoString() string { return "[secrets]" }

// readSecrets looks up every secret that the configuration needs, and names all that are missing at once.
func readSecrets(c *Config, env func(string) string) (*secrets, error) {
	s := &secrets{systems: map[string]keyPair{}}
	var wrong []string
	need := func(name, what string) string {
		v, err := secret(name, env)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case v == "":
			wrong = append(wrong, fmt.Sprintf("%s is not set (nor %s_FILE): %s", name, name, what))
		}
		return v
	}
	s.botToken = need("SLACK_BOT_TOKEN", "the app's Bot User OAuth Token, xoxb-…")
	if c.Slack.Mode == bot.Socket {
		s.appToken = need("SLACK_APP_TOKEN", "Socket Mode needs the app-level token, xapp-…, with connections:write")
	} else {
		s.signingSecret = need("SLACK_SIGNING_SECRET", "HTTP mode needs it to tell Slack from anybody else")
	}
	for _, sys := range c.Systems {
		s.systems[sys.Name] = keyPair{
			key:    need(sys.KeyEnv, "the key of system "+sys.Name),
			secret: need(sys.SecretEnv, "the secret of system "+sys.Name),
		}
	}
	if len(wrong) > 0 {
		return nil, &ConfigError{Mistakes: wrong}
	}
	return s, nil
}

// secret reads NAME, or the file that NAME_FILE names.
func secret(name string, env func(string) string) (string, error) {
	file := env(name + "_FILE")
	switch v := env(name); {
	case file == "":
		return strings.TrimSpace(v), nil
	case v != "":
		return "", fmt.Errorf("both %s and %s_FILE are set: use one", name, name)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}
