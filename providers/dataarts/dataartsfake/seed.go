package dataartsfake

// What a new server knows. The key pair opens nothing anywhere; its shape makes it easy to find in a log.
const (
	ProjectID  = "0833a5736980d53b0f22c0102ffcbfc0"
	DomainID   = "0833a5730a80d4b11f1ac0102f2bc3f0"
	DomainName = "countersign-lab"
	InstanceID = "6b2d9e0f4c1a4d7e8b3f5a6c7d8e9f01"

	AccessKey = "AKEXAMPLE0DATAARTS00"
	SecretKey = "SKEXAMPLE0dataarts0not0a0secret0000000000"

	WorkspaceAnalytics = "dee0f3ba0a6c4b5f9d0c1e2f3a4b4536"
	WorkspaceRisk      = "5f1c2d3e4b5a69788796a5b4c3d2e1f0"

	UserOwner = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	UserAlice = "2d032145d82546b5b83cd7a6fd7d0afc"
	UserBob   = "3e143256e93657c6c94de8b70e8e1b0d"
	UserCarol = "4f254367fa4768d7da5ef9c81f9f2c1e"

	GroupPlatform = "7c58769a2d7a9b0a0d812cfb42c25f41"
)

// The roles of the seed: the four presets, and one that somebody made.
const (
	RoleAdmin     = "r00001"
	RoleDeveloper = "r00002"
	RoleOperator  = "r00003"
	RoleViewer    = "r00004"
	RoleAuditor   = "r10001"
)

// seed is the state of a new server: two workspaces, each with its owner as the only member.
func (s *Server) seed() *state {
	st := &state{
		Keys:      []Key{{Access: AccessKey, Secret: SecretKey, ProjectID: ProjectID}},
		Instances: []Instance{{ID: InstanceID, Name: "lab"}},
		Users: []IAMUser{
			{ID: UserOwner, Name: "owner", DomainID: DomainID, DomainOwner: true},
			{ID: UserAlice, Name: "alice", DomainID: DomainID},
			{ID: UserBob, Name: "bob", DomainID: DomainID},
			{ID: UserCarol, Name: "carol", DomainID: DomainID},
		},
		Groups: []IAMGroup{{ID: GroupPlatform, Name: "platform"}},
		Roles: []Role{
			{ID: RoleAdmin, Code: "admin", Name: "Admin"},
			{ID: RoleDeveloper, Code: "developer", Name: "Developer"},
			{ID: RoleOperator, Code: "operator", Name: "Operator"},
			{ID: RoleViewer, Code: "viewer", Name: "Viewer"},
			{ID: RoleAuditor, Code: "auditor", Name: "Auditor"},
		},
	}
	for _, w := range []struct{ id, name string }{{WorkspaceAnalytics, "analytics"}, {WorkspaceRisk, "risk"}} {
		st.Workspaces = append(st.Workspaces, Workspace{ID: w.id, Name: w.name, InstanceID: InstanceID})
		owner := Member{UserID: UserOwner, UserName: "owner", DomainOwner: true, Roles: []string{RoleAdmin}}
		st.put(w.id, owner, s.now(), "owner")
	}
	return st
}
