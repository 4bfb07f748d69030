package slackfake

import (
	"cmp"
	"slices"
	"strings"
)

func (c *apiCall) authTest() (map[string]any, *apiError) {
	st := c.s.st
	if c.kind == "app" {
		return map[string]any{"app_name": "Countersign", "app_id": st.AppID}, nil
	}
	return map[string]any{
		"url": "https://" + st.Team.Domain + ".slack.com/", "team": st.Team.Name, "team_id": st.Team.ID,
		"user": st.Users[st.BotUser].name(), "user_id": st.BotUser, "bot_id": st.BotID, "is_enterprise_install": false,
	}, nil
}

// wire is a user as users.info shows them; the e-mail address has a scope of its own.
func (u *User) wire(withEmail, withLocale bool) map[string]any {
	profile := map[string]any{
		"real_name": u.RealName, "real_name_normalized": u.RealName, "display_name": u.Name,
		"display_name_normalized": u.Name, "team": u.Team, "avatar_hash": "0", "status_text": "", "status_emoji": "",
	}
	if withEmail && u.Email != "" {
		profile["email"] = u.Email
	}
	out := map[string]any{
		"id": u.ID, "team_id": u.Team, "name": u.Name, "deleted": u.Deleted, "is_bot": u.IsBot, "is_app_user": false,
		"updated": 1700000000, "profile": profile,
	}
	if u.IsStranger {
		out["is_stranger"] = true
	}
	if u.IsWorkflowBot {
		out["is_workflow_bot"] = true
	}
	if !u.Deleted {
		out["real_name"], out["tz"], out["tz_offset"], out["color"] = u.RealName, u.TZ, u.TZOffset, "9f69e7"
		out["tz_label"] = u.TZ
		out["is_admin"], out["is_owner"], out["is_primary_owner"] = u.IsAdmin, false, false
		out["is_restricted"], out["is_ultra_restricted"] = u.IsRestricted || u.IsUltraRestricted, u.IsUltraRestricted
	}
	if withLocale && u.Locale != "" {
		out["locale"] = u.Locale
	}
	return out
}

func (c *apiCall) emails() bool { return c.needScope("users:read.email") == nil }

func (c *apiCall) usersInfo() (map[string]any, *apiError) {
	u := c.s.st.Users[c.str("user")]
	if u == nil {
		return nil, fail("user_not_found")
	}
	return map[string]any{"user": u.wire(c.emails(), c.flag("include_locale"))}, nil
}

func (c *apiCall) usersList() (map[string]any, *apiError) {
	var members []any
	for _, u := range c.s.st.users() {
		if u.Team == c.s.st.Team.ID {
			members = append(members, u.wire(c.emails(), c.flag("include_locale")))
		}
	}
	page, next, err := paged(c, members, 0)
	if err != nil {
		return nil, err
	}
	return map[string]any{"members": page, "cache_ts": c.now.Unix(), "response_metadata": cursor(next)}, nil
}

func (c *apiCall) usersLookupByEmail() (map[string]any, *apiError) {
	for _, u := range c.s.st.users() {
		if u.Email != "" && strings.EqualFold(u.Email, c.str("email")) && !u.Deleted && u.Team == c.s.st.Team.ID {
			return map[string]any{"user": u.wire(true, false)}, nil
		}
	}
	return nil, fail("users_not_found")
}

func (c *apiCall) usergroupsList() (map[string]any, *apiError) {
	if c.s.noPlan {
		return nil, fail("plan_upgrade_required")
	}
	list := []any{}
	for _, g := range c.s.st.groups() {
		if g.Disabled && !c.flag("include_disabled") {
			continue
		}
		one := map[string]any{
			"id": g.ID, "team_id": c.s.st.Team.ID, "is_usergroup": true, "is_subteam": true, "name": g.Name,
			"handle": g.Handle, "description": "", "is_external": false, "date_create": 1700000000,
			"date_update": 1700000000, "date_delete": 0, "created_by": c.s.st.BotUser, "user_count": len(g.Users),
		}
		if g.Disabled {
			one["date_delete"] = 1700000001
		}
		if c.flag("include_users") {
			one["users"] = slices.Clone(g.Users)
		}
		list = append(list, one)
	}
	return map[string]any{"usergroups": list}, nil
}

func (c *apiCall) usergroupsUsersList() (map[string]any, *apiError) {
	if c.s.noPlan {
		return nil, fail("plan_upgrade_required")
	}
	g := c.s.st.Groups[c.str("usergroup")]
	if g == nil || g.Disabled && !c.flag("include_disabled") {
		return nil, fail("no_such_subteam")
	}
	users := []string{}
	for _, id := range g.Users {
		if u := c.s.st.Users[id]; u != nil && !u.Deleted {
			users = append(users, id)
		}
	}
	slices.SortFunc(users, cmp.Compare[string])
	return map[string]any{"users": users}, nil
}
