package bot

import (
	"fmt"
	"strings"

	"countersign/workflow"
)

// Lang is a language that the bot speaks.
type Lang int

// The languages. The zero value is English.
const (
	English Lang = iota
	Chinese
	languages
)

// LangOf returns the language of a Slack locale or of the configuration's locale; anything unknown is fallback.
func LangOf(locale string, fallback Lang) Lang {
	switch {
	case strings.HasPrefix(locale, "zh"):
		return Chinese
	case strings.HasPrefix(locale, "en"):
		return English
	default:
		return fallback
	}
}

// say returns a phrase of the catalogue in a language, with its arguments, which must be escaped already.
func (l Lang) say(key string, args ...any) string {
	texts, ok := phrases[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return texts[l]
	}
	return fmt.Sprintf(texts[l], args...)
}

// join puts one sentence behind another. A Chinese one ends in a character that is as wide as a blank more.
func (l Lang) join(first, second string) string {
	if first == "" || second == "" || l == Chinese {
		return first + second
	}
	return first + " " + second
}

// state is a state's word, as the design names it; in Chinese its translation follows.
func (l Lang) state(s workflow.State) string {
	if l == English {
		return string(s)
	}
	return string(s) + " " + l.say("state."+string(s))
}

// phrases is the catalogue: everything that people read, in each language. Arguments are numbered, so that a language
// may order them as it likes. Arguments from people and clouds come escaped.
var phrases = map[string][languages]string{
	"state.pending":   {"pending", "待审批"},
	"state.approved":  {"approved", "已批准"},
	"state.executing": {"executing", "执行中"},
	"state.done":      {"done", "已完成"},
	"state.failed":    {"failed", "失败"},
	"state.unknown":   {"unknown", "结果未知"},
	"state.denied":    {"denied", "已拒绝"},
	"state.withdrawn": {"withdrawn", "已撤回"},
	"state.expired":   {"expired", "已过期"},

	// What a change does, as one sentence. 1 subject, 2 group, 3 system, 4 role or remark.
	"do.invite":      {"Invite %[1]s to team %[2]s on %[3]s", "邀请 %[1]s 加入 %[3]s 的团队 %[2]s"},
	"do.invite.as":   {"Invite %[1]s to team %[2]s on %[3]s as %[4]s", "邀请 %[1]s 加入 %[3]s 的团队 %[2]s，备注 %[4]s"},
	"do.resend":      {"Send the invitation of %[1]s to team %[2]s on %[3]s again", "重新发送 %[1]s 加入 %[3]s 团队 %[2]s 的邀请"},
	"do.cancel":      {"Cancel the invitation of %[1]s to team %[2]s on %[3]s", "取消 %[1]s 加入 %[3]s 团队 %[2]s 的邀请"},
	"do.rename":      {"Rename %[1]s in team %[2]s on %[3]s to %[4]s", "将 %[3]s 团队 %[2]s 中 %[1]s 的备注改为 %[4]s"},
	"do.accept":      {"Accept the invitation to team %[2]s for the account of %[3]s", "以 %[3]s 的账号接受团队 %[2]s 的邀请"},
	"do.reject":      {"Reject the invitation to team %[2]s for the account of %[3]s", "以 %[3]s 的账号拒绝团队 %[2]s 的邀请"},
	"do.add":         {"Add %[1]s to workspace %[2]s on %[3]s as %[4]s", "将 %[1]s 加入 %[3]s 的工作空间 %[2]s，角色 %[4]s"},
	"do.role":        {"Set the role of %[1]s in workspace %[2]s on %[3]s to %[4]s", "将 %[3]s 工作空间 %[2]s 中 %[1]s 的角色设为 %[4]s"},
	"do.add-role":    {"Give %[1]s in workspace %[2]s on %[3]s the role %[4]s besides the present ones", "为 %[3]s 工作空间 %[2]s 中的 %[1]s 增加角色 %[4]s"},
	"do.drop-role":   {"Take the role %[4]s from %[1]s in workspace %[2]s on %[3]s", "取消 %[3]s 工作空间 %[2]s 中 %[1]s 的角色 %[4]s"},
	"do.remove":      {"Remove %[1]s from workspace %[2]s on %[3]s", "将 %[1]s 移出 %[3]s 的工作空间 %[2]s"},
	"do.for":         {"%[1]s, for %[2]s", "%[1]s，期限 %[2]s"},
	"do.for_good":    {"%[1]s, without end", "%[1]s，长期有效"},
	"subject.group":  {"the user group %[1]s", "用户组 %[1]s"},
	"name.id":        {"%[1]s (%[2]s)", "%[1]s（%[2]s）"}, // a name or a mention, and its ID
	"list.comma":     {", ", "、"},
	"list.semicolon": {"; ", "；"},

	// The card.
	"card.title":          {"*Request #%[1]s* · *%[2]s*", "*申请 #%[1]s* · *%[2]s*"},
	"card.requester":      {"*Requested by*\n%[1]s", "*申请人*\n%[1]s"},
	"card.target":         {"*Where*\n%[1]s", "*位置*\n%[1]s"},
	"card.subject":        {"*Who*\n%[1]s", "*对象*\n%[1]s"},
	"from.people":         {"_ID from the configuration's people_", "_ID 来自配置 people_"},
	"from.people_csv":     {"_ID from the file of people_", "_ID 来自人员文件_"},
	"from.iam":            {"_ID looked up in IAM as %[1]s_", "_ID 由 IAM 按用户名 %[1]s 查得_"},
	"card.reason":         {"*Why*\n>%[1]s", "*理由*\n>%[1]s"},
	"card.asked":          {"asked %[1]s", "%[1]s 申请"},
	"card.expires":        {"expires %[1]s", "%[1]s 过期"},
	"card.rule":           {"rule “%[1]s”", "规则“%[1]s”"},
	"card.parent":         {"follows from #%[1]s", "由 #%[1]s 产生"},
	"card.child":          {"ends with #%[1]s", "由 #%[1]s 结束"},
	"card.due":            {"runs %[1]s", "%[1]s 执行"},
	"card.progress":       {"%[1]d of %[2]d approvals · %[3]s still needed (rule “%[4]s”)", "已批准 %[1]d / %[2]d · 还需要 %[3]s（规则“%[4]s”）"},
	"card.stuck":          {"%[1]d of %[2]d approvals · nobody is left who could give the rest: ask anew (rule “%[3]s”)", "已批准 %[1]d / %[2]d · 已无人可以给出其余批准：请重新申请（规则“%[3]s”）"},
	"card.entry":          {"%[1]s (entry %[2]d)", "%[1]s（第 %[2]d 项）"},
	"card.one_of":         {"one of %[1]s", "%[1]s 中的一人"},
	"card.n_of":           {"%[2]d of %[1]s", "%[1]s 中的 %[2]d 人"},
	"card.approved":       {":white_check_mark: approved by %[1]s %[2]s", ":white_check_mark: %[1]s 于 %[2]s 批准"},
	"card.denied":         {":no_entry: denied by %[1]s %[2]s", ":no_entry: %[1]s 于 %[2]s 拒绝"},
	"card.reason_was":     {"%[1]s: %[2]s", "%[1]s：%[2]s"},
	"button.claim":        {"I'm looking", "我来处理"},
	"button.undo":         {"Undo", "撤销变更"},
	"card.claim":          {":eyes: %[1]s is looking at it, since %[2]s", ":eyes: %[1]s 正在处理，自 %[2]s"},
	"card.undo":           {"undo asked for as #%[1]s", "已申请撤销：#%[1]s"},
	"card.extends":        {"extends #%[1]s", "延长 #%[1]s"},
	"button.approve":      {"Approve", "批准"},
	"button.approve_note": {"Approve with a note…", "批准并附言…"},
	"button.deny":         {"Deny", "拒绝"},
	"button.retry":        {"Retry", "重试"},
	"button.look":         {"Look again", "重新查询"},
	"button.done":         {"It was applied", "已生效"},
	"button.not":          {"It was not applied", "未生效"},

	// The difference that is signed.
	"plan.change":        {"%[1]s → %[2]s", "%[1]s → %[2]s"},
	"plan.already":       {"Nothing to do: already %[1]s. Approving ends it without a call.", "无需更改：已经是 %[1]s。批准后不会发起调用。"},
	"plan.already.moves": {"Already %[1]s; approving moves the end to %[2]s from then. Nothing is called.", "已经是 %[1]s；批准后期限改为自批准起 %[2]s，不会发起调用。"},
	"plan.already.lifts": {"Already %[1]s; approving lifts the time limit, so that it no longer ends. Nothing is called.", "已经是 %[1]s；批准后取消期限，改为长期有效，不会发起调用。"},
	"plan.impossible":    {":warning: Now %[1]s, so this cannot be done: %[2]s", ":warning: 当前 %[1]s，无法执行：%[2]s"},
	"plan.unread":        {":warning: The present membership could not be read since %[1]s: %[2]s", ":warning: 自 %[1]s 起无法读取当前成员状态：%[2]s"},
	"plan.high_risk":     {":rotating_light: This role may change everything in the workspace.", ":rotating_light: 高风险：该角色可更改工作空间的一切。"},
	"plan.last_admin":    {":rotating_light: Nobody with the admin role would be left.", ":rotating_light: 将不再有任何管理员。"},
	"plan.answered":      {":information_source: The invitation was already answered.", ":information_source: 邀请已被答复。"},
	"position.absent":    {"not a member", "非成员"},
	"position.pending":   {"invited", "已邀请"},
	"position.joined":    {"joined", "已加入"},
	"position.rejected":  {"invitation rejected", "已拒绝邀请"},
	"position.canceled":  {"invitation cancelled", "邀请已取消"},
	"position.member":    {"member", "成员"},
	"position.as":        {"%[1]s as %[2]s", "%[1]s，备注 %[2]s"},
	"card.drift":         {":warning: It was %[1]s when it was approved, and has changed %[2]s: the approvals are void, please look at the difference and decide again.", ":warning: 批准时为 %[1]s，%[2]s 已发生变化：原批准作废，请查看差异后重新审批。"},
	"result.again":       {"executing: the provider asked to come back later, it is called again shortly. %[1]s", "executing 执行中：云平台暂时繁忙，稍后自动重试。%[1]s"},
	"result.hopeless":    {"denied: %[1]s Nobody was asked.", "denied 已拒绝：%[1]s未请求审批。"},
	"thread.drift":       {"Not done: the membership has changed since it was approved (it was %[1]s, it is %[2]s). Please decide again on the card.", "未执行：批准后成员状态已变化（原为 %[1]s，现为 %[2]s）。请在卡片上重新审批。"},
	"dm.hopeless":        {"Your request #%[1]s was not passed on: %[2]s — %[3]s", "您的申请 #%[1]s 未提交审批：%[2]s。%[3]s"},
	"dm.drift":           {"Your request #%[1]s needs new approvals: %[2]s — the membership has changed since it was approved.", "您的申请 #%[1]s 需要重新审批：%[2]s。批准后成员状态已变化。"},

	// How it ended.
	"result.done":       {"done: the provider has confirmed the change.", "done 已完成：云平台已确认。"},
	"result.already":    {"done: already so before, nothing was called.", "done 已完成：already 原本就是如此，未发起调用。"},
	"result.moved":      {"done: the end was moved to %[1]s; the rest was already so, nothing was called.", "done 已完成：到期时间改为 %[1]s；其余 already 原本就是如此，未发起调用。"},
	"result.lifted":     {"done: the time limit was lifted; the rest was already so, nothing was called.", "done 已完成：期限已取消；其余 already 原本就是如此，未发起调用。"},
	"result.read_back":  {"done: the answer was lost, but reading the membership shows the change.", "done 已完成：应答丢失，但读取成员状态确认已生效。"},
	"result.marked":     {"done: %[1]s says that it was applied.", "done 已完成：%[1]s 确认已生效。"},
	"result.failed":     {"failed: %[1]s", "failed 失败：%[1]s"},
	"result.not":        {"failed: %[1]s says that it was not applied. Retry calls the provider once more.", "failed 失败：%[1]s 确认未生效。可点击“重试”再次调用。"},
	"result.looking":    {"unknown: the provider's answer was lost; reading back what became of the call.", "unknown 结果未知：云平台的应答丢失，正在读取结果。"},
	"result.unknown":    {"unknown: whether the call was applied could not be found out. %[1]s Look at the provider's console, then say on the card what you saw.", "unknown 结果未知：无法确认调用是否生效。%[1]s请到云平台控制台查看，再在卡片上选择。"},
	"result.seen":       {"Last seen: %[1]s.", "最后读到：%[1]s。"},
	"result.executing":  {"executing: the provider is being called.", "executing 执行中：正在调用云平台。"},
	"result.request_id": {"Provider's request ID: %[1]s.", "云平台请求 ID：%[1]s。"},
	"result.vendor":     {"%[1]s.", "%[1]s。"},

	// What to do about a fault, by class.
	"mend.key":        {"The system's key was not accepted: an operator must check it, then press Retry.", "系统的密钥未被接受：请运维人员检查后点击“重试”。"},
	"mend.permission": {"The system's account may not do this: grant it the right, then press Retry.", "系统的账号没有权限：授权后点击“重试”。"},
	"mend.throttled":  {"The provider asks to slow down: press Retry in a minute.", "云平台限流：请一分钟后点击“重试”。"},
	"mend.unverified": {"The account is not real-name verified: verify it in the provider's console, then press Retry.", "账号未完成实名认证：请在控制台完成认证后点击“重试”。"},
	"mend.group":      {"There is no such team or workspace: check the ID and ask anew.", "团队或工作空间不存在：请核对 ID 后重新申请。"},
	"mend.subject":    {"The provider does not know this subject there: check the ID and ask anew.", "对象不存在：请核对 ID 后重新申请。"},
	"mend.role":       {"There is no such role there: `roles` lists those there are; ask anew.", "该处没有此角色：用 `roles` 查看可用角色后重新申请。"},
	"mend.state":      {"The membership is not in a state that allows this: look at it and ask anew.", "当前成员状态不允许此操作：请查看后重新申请。"},
	"mend.quota":      {"A quota is used up: free some or have it raised, then press Retry.", "配额不足：释放或提升配额后点击“重试”。"},
	"mend.vendor":     {"That is a fault at the provider: press Retry later.", "云平台故障：请稍后点击“重试”。"},
	"mend.refused":    {"The provider refused it: mend what its text says, then press Retry.", "云平台拒绝：按提示处理后点击“重试”。"},
	"mend.unclear":    {"No clear answer came: look at the provider's console before you press Retry.", "没有得到明确的应答：重试前请先到控制台查看。"},

	// The form.
	"form.title":            {"Ask for access", "申请成员变更"},
	"form.submit":           {"Ask", "提交申请"},
	"form.close":            {"Close", "关闭"},
	"form.system":           {"System", "系统"},
	"form.system.hint":      {"Which account", "选择账号"},
	"form.group":            {"Team or workspace", "团队或工作空间"},
	"form.group.hint":       {"Choose one, or type its ID", "选择，或输入其 ID"},
	"form.action":           {"What", "操作"},
	"form.action.hint":      {"What is to happen", "选择操作"},
	"form.who":              {"Who", "对象"},
	"form.who.hint":         {"Choose one or several, or type a cloud ID", "可选多个，或输入云账号 ID"},
	"form.role":             {"Role or remark", "角色或备注"},
	"form.role.hint":        {"developer, or the name to show", "developer，或要显示的备注"},
	"form.role.only":        {"Role", "角色"},
	"form.role.only.hint":   {"Choose one, or type it", "选择，或输入角色"},
	"form.remark":           {"Remark", "备注"},
	"form.remark.hint":      {"The name to show for the member", "要显示的成员备注"},
	"form.for":              {"For how long", "期限"},
	"form.for.hint":         {"7d, 24h; empty: without end", "7d、24h；不填为长期"},
	"form.because":          {"Why", "理由"},
	"form.because.hint":     {"What the approver should know", "审批人需要知道的信息"},
	"form.action.invite":    {"Invite to a team", "邀请加入团队"},
	"form.action.resend":    {"Send an invitation again", "重新发送邀请"},
	"form.action.cancel":    {"Cancel an invitation", "取消邀请"},
	"form.action.rename":    {"Change a member's remark", "修改成员备注"},
	"form.action.accept":    {"Accept an invitation for this account", "以本账号接受邀请"},
	"form.action.reject":    {"Reject an invitation for this account", "以本账号拒绝邀请"},
	"form.action.add":       {"Add to a workspace", "加入工作空间"},
	"form.action.role":      {"Set the role", "设置角色"},
	"form.action.add-role":  {"Give one more role", "增加角色"},
	"form.action.drop-role": {"Take one role away", "取消角色"},
	"form.action.remove":    {"Remove from a workspace", "移出工作空间"},

	// The Home.
	"home.ask":          {"Ask for access", "申请成员变更"},
	"home.by":           {"asked for by %[1]s", "%[1]s 申请"},
	"home.newer":        {"Newer", "较新"},
	"home.older":        {"Older", "更早"},
	"home.waiting":      {"Waiting for you", "等待您审批"},
	"home.waiting.none": {"Nothing waits for you.", "没有等待您审批的申请。"},
	"home.mine":         {"Your requests", "您的申请"},
	"home.mine.none":    {"You have asked for nothing yet.", "您还没有申请。"},
	"home.decided":      {"Decided lately", "最近的决定"},
	"home.decided.none": {"Nothing was decided lately.", "最近没有决定。"},
	"withdraw.title":    {"Withdraw request #%[1]s?", "撤回申请 #%[1]s？"},
	"withdraw.text":     {"Nobody can decide it any more then. If you need it after all, ask anew.", "撤回后无法再审批；如仍需要请重新申请。"},
	"withdraw.keep":     {"Keep it", "保留"},
	"button.withdraw":   {"Withdraw", "撤回"},

	// Help.
	"help.head":    {"*Ask for a membership change; somebody else signs it off.*", "*申请成员变更，由他人审批。*"},
	"help.also":    {"Also: `%[1]s mine` · `%[1]s pending` · `%[1]s show 42` · `%[1]s withdraw 42` · `%[1]s extend 42 for 7d` · `%[1]s groups SYSTEM` · `%[1]s members SYSTEM/GROUP` · `%[1]s roles SYSTEM/GROUP`", "另有：`%[1]s mine` · `%[1]s pending` · `%[1]s show 42` · `%[1]s withdraw 42` · `%[1]s extend 42 for 7d` · `%[1]s groups 系统` · `%[1]s members 系统/组` · `%[1]s roles 系统/组`"},
	"help.parts":   {"WHO is an ID, several joined by commas, an @mention, or `user:NAME` for an IAM user; a value with blanks is “quoted”; `because` takes the rest of the line.", "WHO 是 ID（多个用逗号连接）、@用户，或 IAM 用户 `user:用户名`；含空格的值加引号；`because` 后面整行都是理由。"},
	"help.same":    {"The same on %[1]s.", "%[1]s 同样适用。"},
	"help.nothing": {"No rule of the policy lets you ask for anything: ask whoever keeps the policy.", "策略不允许您申请任何变更：请联系策略维护者。"},
	"help.like":    {"Like this: `%[1]s`", "例如：`%[1]s`"},
	"help.near":    {"Did you mean `%[1]s`?", "您是否想输入 `%[1]s`？"},

	// Private answers.
	"made.one":            {"Recorded as #%[1]s: %[2]s. It waits for approval in <#%[3]s>; you will hear from me here.", "已登记为 #%[1]s：%[2]s。正在 <#%[3]s> 等待审批，结果会私信通知您。"},
	"made.now":            {"#%[1]s is *%[2]s*: %[3]s.", "#%[1]s 当前状态 *%[2]s*：%[3]s。"},
	"made.many":           {"Recorded, each decided on its own:", "已登记，逐项审批："},
	"made.line":           {"• #%[1]s: %[2]s", "• #%[1]s：%[2]s"},
	"made.nobody":         {"Nobody but you could approve this under the present rule; ask an operator to name another approver.", "按当前规则，除您之外没有人可以审批；请联系运维人员增加审批人。"},
	"withdrawn":           {"#%[1]s is withdrawn.", "#%[1]s 已撤回。"},
	"read.members":        {"*Members of %[1]s* · %[2]d · page %[3]d of %[4]d", "*%[1]s 的成员* · %[2]d 个 · 第 %[3]d / %[4]d 页"},
	"read.groups":         {"*Teams and workspaces of %[1]s* · %[2]d · page %[3]d of %[4]d", "*%[1]s 的团队和工作空间* · %[2]d 个 · 第 %[3]d / %[4]d 页"},
	"read.roles":          {"*Roles in %[1]s* · %[2]d · page %[3]d of %[4]d", "*%[1]s 的角色* · %[2]d 个 · 第 %[3]d / %[4]d 页"},
	"read.none":           {"There are none.", "没有。"},
	"read.more":           {"More: `%[1]s`", "下一页：`%[1]s`"},
	"read.slow":           {"Reading %[1]s… the cloud takes its time; the answer follows here.", "正在读取 %[1]s……云平台响应较慢，结果稍后显示。"},
	"list.mine":           {"*Your requests*", "*您的申请*"},
	"list.pending":        {"*Waiting for a decision*", "*等待审批*"},
	"list.mine.none":      {"You have asked for nothing yet. `%[1]s help` shows how.", "您还没有申请。输入 `%[1]s help` 查看用法。"},
	"audit.head":          {"*Audit trail, %[1]s*: %[2]d entries. Keep this message: `countersign audit verify --head %[3]s` shows whether anything before it was changed since.", "*审计记录 %[1]s*：共 %[2]d 条。请保留本消息：运行 `countersign audit verify --head %[3]s` 可检查此前的记录是否被改动。"},
	"list.none":           {"Nothing waits for a decision.", "没有等待审批的申请。"},
	"list.line":           {"• *#%[1]s* %[2]s · %[3]s · %[4]s", "• *#%[1]s* %[2]s · %[3]s · %[4]s"},
	"list.more":           {"…and older ones; `%[1]s show NUMBER` shows any.", "……还有更早的；用 `%[1]s show 编号` 查看。"},
	"dm.approve":          {"%[1]s approved your request #%[2]s: %[3]s. %[4]s", "%[1]s 批准了您的申请 #%[2]s：%[3]s。%[4]s"},
	"dm.approve.note":     {"Note: “%[1]s”", "附言：“%[1]s”"},
	"dm.approve.more":     {"%[1]d of %[2]d approvals are in.", "已有 %[1]d / %[2]d 个批准。"},
	"dm.approve.last":     {"It is being carried out.", "正在执行。"},
	"dm.deny":             {"%[1]s denied your request #%[2]s: %[3]s.", "%[1]s 拒绝了您的申请 #%[2]s：%[3]s。"},
	"dm.deny.reason":      {"Reason: %[1]s", "理由：%[1]s"},
	"dm.expire":           {"Nobody decided your request #%[1]s in time, it has expired: %[2]s. Ask anew if you still need it.", "您的申请 #%[1]s 在期限内无人审批，已过期：%[2]s。如仍需要请重新申请。"},
	"dm.no_card":          {"The card of your request #%[1]s could not be posted in <#%[3]s>: %[2]s. Whoever may approve it finds it in this app's Home; please tell an operator that I cannot write in that channel.", "您的申请 #%[1]s 的卡片无法发到 <#%[3]s>：%[2]s。审批人仍可在本应用的主页中审批；请告知运维人员我无法在该频道发消息。"},
	"dm.result":           {"Your request #%[1]s: %[2]s — %[3]s", "您的申请 #%[1]s：%[2]s。%[3]s"},
	"dm.retry":            {"Retry is on the card in <#%[1]s>, for whoever may approve it.", "“重试”在 <#%[1]s> 的卡片上，由审批人点击。"},
	"dm.ends_soon":        {"Soon over: the access from #%[4]s ends %[3]s. Then #%[1]s is carried out: %[2]s.", "即将到期：#%[4]s 给予的权限将于 %[3]s 到期，届时执行 #%[1]s：%[2]s。"},
	"dm.ends_soon.longer": {"To keep it, type `%[1]s` in good time: that needs approval.", "如需继续，请尽早输入 `%[1]s` 申请延长（需审批）。"},
	"dm.subject":          {"Your membership has changed (#%[1]s, asked for by %[3]s): %[2]s.", "您的成员身份已变更（#%[1]s，由 %[3]s 申请）：%[2]s。"},
	"dm.subject.moved":    {"The end of your membership has moved to %[4]s (#%[1]s, asked for by %[3]s): %[2]s.", "您的成员身份到期时间已变更（#%[1]s，由 %[3]s 申请），现于 %[4]s 到期：%[2]s。"},
	"dm.subject.lifted":   {"Your membership no longer ends by itself (#%[1]s, asked for by %[3]s): %[2]s.", "您的成员身份不再到期（#%[1]s，由 %[3]s 申请）：%[2]s。"},
	"thread.remind":       {"Still waiting: %[1]s", "仍在等待：%[1]s"},
	"date":                {"<!date^%[1]d^{date_short_pretty} at {time}|%[2]s>", "<!date^%[1]d^{date_short_pretty} {time}|%[2]s>"},
	"form.deny.title":     {"Deny request #%[1]s", "拒绝申请 #%[1]s"},
	"form.deny.label":     {"Why not? The requester reads this.", "拒绝理由（申请人可见）"},
	"form.deny.submit":    {"Deny", "拒绝"},
	"form.approve.title":  {"Approve request #%[1]s", "批准申请 #%[1]s"},
	"form.approve.label":  {"Your note. It stands on the card; the requester reads it.", "附言（显示在卡片上，申请人可见）"},
	"form.approve.submit": {"Approve", "批准"},
	"form.approve.empty":  {"Write the note, or close this and press Approve, which needs none.", "请填写附言；如不需要附言，请关闭本窗口后点击“批准”。"},
	"form.cancel":         {"Cancel", "取消"},
	"form.deny.empty":     {"Say why, so that the requester knows what to do.", "请填写理由，让申请人知道怎么办。"},
}
