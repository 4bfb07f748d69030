package bot

import (
	"errors"
	"strings"

	"countersign/workflow"
)

// refusals is the catalogue of what is refused: what is wrong and what to do. Arguments come escaped and marked.
var refusals = map[workflow.Kind][languages]string{
	workflow.BadAction:      {"I do not know the action %[1]s.", "不认识操作 %[1]s。"},
	workflow.ActionNotHere:  {"%[1]s is no action of %[2]s: it has %[3]s.", "%[2]s 没有操作 %[1]s，可用操作：%[3]s。"},
	workflow.NoRemoval:      {"CompShare has no documented call that removes a joined member or changes a role, so %[1]s cannot be asked for; a pending invitation can be cancelled with `cancel`.", "CompShare 没有移除已加入成员或修改角色的接口，因此不支持 %[1]s；可用 `cancel` 取消尚未接受的邀请。"},
	workflow.MissingWho:     {"%[1]s needs to know who: give an ID or an @mention behind it.", "%[1]s 需要对象：请在其后写 ID 或 @用户。"},
	workflow.WhoNotAllowed:  {"%[1]s acts for the configured account itself and takes no WHO: leave it out.", "%[1]s 针对系统自身的账号，不需要对象：请去掉。"},
	workflow.MissingTarget:  {"Say where, as SYSTEM/GROUP.", "请写明位置：系统/组。"},
	workflow.BadTarget:      {"%[1]s is no target: write SYSTEM/GROUP, with nothing left out on either side of the slash.", "%[1]s 不是有效位置：请写成 系统/组，斜杠两边都不能为空。"},
	workflow.BadSystem:      {"I know no system %[1]s. Systems here: %[2]s.", "没有系统 %[1]s。可用系统：%[2]s。"},
	workflow.BadCompany:     {"%[1]s is no company ID: CompShare's are whole numbers of up to ten digits.", "%[1]s 不是有效的公司 ID：CompShare 的公司 ID 是不超过十位的整数。"},
	workflow.BadTeam:        {"%[1]s is no team ID: CompShare's are whole numbers of up to ten digits.", "%[1]s 不是有效的团队 ID：CompShare 的团队 ID 是不超过十位的整数。"},
	workflow.BadWorkspace:   {"%[1]s is no workspace ID: DataArts Studio's are 32 of a-z and 0-9.", "%[1]s 不是有效的工作空间 ID：应为 32 位小写字母或数字。"},
	workflow.BadIAM:         {"%[1]s is no IAM ID: they are 32 of a-z and 0-9.", "%[1]s 不是有效的 IAM ID：应为 32 位小写字母或数字。"},
	workflow.BadRole:        {"I know no role %[1]s. Roles: %[2]s.", "没有角色 %[1]s。可用角色：%[2]s。"},
	workflow.MissingAs:      {"%[1]s needs a role or remark: add `as` and one word, or a quoted text.", "%[1]s 需要角色或备注：请加上 `as` 和一个词，或用引号括起的文字。"},
	workflow.AsNotAllowed:   {"%[1]s takes no role or remark: leave `as` out.", "%[1]s 不需要角色或备注：请去掉 `as`。"},
	workflow.BadRemark:      {"That remark cannot be used (%[1]s): it must be one line of 1 to %[2]s characters.", "备注无效（%[1]s）：须为一行，1 至 %[2]s 个字符。"},
	workflow.NoTimeLimit:    {"%[1]s cannot be limited in time: CompShare offers no call that would end the membership. Leave `for` out.", "%[1]s 不支持期限：CompShare 没有结束成员关系的接口。请去掉 `for`。"},
	workflow.BadDuration:    {"%[1]s is no duration: write a number and s, m, h or d, as in `90m`, `24h` or `7d`.", "%[1]s 不是有效期限：请写数字加 s、m、h 或 d，例如 `90m`、`24h`、`7d`。"},
	workflow.LongDuration:   {"%[1]s is longer than the rule allows: at most %[2]s.", "%[1]s 超过规则允许的最长期限 %[2]s。"},
	workflow.BadMention:     {"I do not know the cloud ID of %[1]s on %[2]s: give the ID itself, or have an operator add the person to `people`.", "不知道 %[1]s 在 %[2]s 的云账号：请直接写 ID，或请运维人员加入 `people`。"},
	workflow.EmptyItem:      {"There is an empty place in that list: put one ID between each two commas.", "列表中有空项：请检查逗号之间是否漏写。"},
	workflow.RepeatedWho:    {"%[1]s is named twice: name each once.", "%[1]s 重复：每个对象只写一次。"},
	workflow.TooManyWho:     {"%[1]s are too many at once: at most %[2]s.", "一次 %[1]s 个太多：最多 %[2]s 个。"},
	workflow.OpenQuote:      {"A quote is opened and not closed: add the closing one.", "引号没有闭合：请补上。"},
	workflow.DoubledWord:    {"%[1]s comes twice: once is enough.", "%[1]s 重复：写一次即可。"},
	workflow.UnexpectedWord: {"I did not expect %[1]s there: several IDs are joined by commas, and a value with blanks is quoted.", "此处不应有 %[1]s：多个 ID 用逗号连接，含空格的值要加引号。"},
	workflow.TooLong:        {"That is too long: at most %[1]s characters.", "内容过长：最多 %[1]s 个字符。"},
	workflow.BadCharacter:   {"There are control, hidden or direction-changing characters in that: type it anew without them.", "内容含有控制字符、隐形字符或方向控制符：请去掉后重新输入。"},
	workflow.BadNumber:      {"%[1]s is no request number: write it as in `show 42`.", "%[1]s 不是申请编号：例如 `show 42`。"},
	workflow.NothingToEnd:   {"%[1]s takes something away, so there is nothing that a limit could end: leave `for` out.", "%[1]s 是收回权限，没有可到期的内容：请去掉 `for`。"},
	workflow.UnknownName:    {"%[2]s knows nobody of the name %[1]s: check the name, or give the ID.", "%[2]s 没有名为 %[1]s 的用户：请核对名称，或直接写 ID。"},
	workflow.Ambiguous:      {"%[1]s may mean several: %[2]s. Give the ID that you mean.", "%[1]s 对应多个：%[2]s。请写明其中一个 ID。"},
	workflow.NoLookUp:       {"%[1]s cannot be looked up, because %[2]s has no IAM to ask, or its account may not list users: give the ID.", "无法查询 %[1]s：%[2]s 未配置 IAM，或其账号无权列出用户。请直接写 ID。"},
	workflow.Unresolved:     {"What %[1]s means on %[2]s could not be found out, because the cloud gave no answer: try again in a moment.", "云平台没有应答，无法确认 %[2]s 上的 %[1]s：请稍后重试。"},
	workflow.NoList:         {"%[2]s has no list of %[1]s: `help` shows what there is.", "%[2]s 没有 %[1]s 列表：可用 `help` 查看用法。"},
	workflow.Unreadable:     {"%[1]s could not be read (%[2]s): try again in a moment, and tell an operator if it stays so.", "无法读取 %[1]s（%[2]s）：请稍后重试；如持续出现请联系运维人员。"},
	workflow.NoReadRule:     {"No rule of the policy lets you ask for anything on %[1]s, so its lists are not shown to you: ask whoever keeps the policy.", "策略不允许您在 %[1]s 申请任何变更，因此不能查看其列表：请联系策略维护者。"},
	workflow.GroupNoSupport: {"%[1]s takes no user group on %[2]s: give a company ID.", "%[2]s 的 %[1]s 不支持用户组：请写公司 ID。"},

	workflow.NoRule:        {"No rule of the policy lets you ask for %[1]s on %[2]s: ask whoever keeps the policy.", "策略不允许您在 %[2]s 申请 %[1]s：请联系策略维护者。"},
	workflow.NotApprover:   {"You are not among the approvers of this request: its card names them.", "您不是此申请的审批人：卡片上写有可以审批的人。"},
	workflow.NoLonger:      {"The policy has changed since this was asked for, and you are not among its approvers any more: leave it to those who are.", "策略已更改，您不再是此申请的审批人：请由现行策略的审批人处理。"},
	workflow.Uncovered:     {"The policy has changed since this was asked for, and no rule of it covers the request, so nobody can decide it: the requester must ask anew.", "策略已更改，没有规则适用于此申请，无人可以审批：请申请人重新申请。"},
	workflow.OwnRequest:    {"You asked for this yourself, so somebody else must decide it: wait, or take it back with `withdraw`.", "这是您自己的申请，需由他人审批：请等待，或用 `withdraw` 撤回。"},
	workflow.NotRequester:  {"Only the person who asked can withdraw it: ask them to, or have an approver deny it.", "只有申请人可以撤回：请联系申请人，或由审批人拒绝。"},
	workflow.AlreadySaid:   {"You have approved this already; it waits for somebody else.", "您已批准过，正在等待其他审批人。"},
	workflow.NoPlaceLeft:   {"Your part of the approvals is already filled; it waits for somebody from another group.", "您所在的审批名额已满，正在等待其他组的审批人。"},
	workflow.WrongState:    {"That can no longer be done: if it is still needed, ask anew.", "现在已不能这样操作：如仍需要，请重新申请。"},
	workflow.NotFound:      {"There is no request %[1]s: `mine` and `pending` list those there are.", "没有编号为 %[1]s 的申请：可用 `mine` 或 `pending` 查看。"},
	workflow.NotHere:       {"That button is not on the request's own card, so it does not count: use the card.", "该按钮不在申请卡片上，无效：请在卡片上操作。"},
	workflow.Deactivated:   {"Your Slack account is deactivated, so you cannot do this: ask an admin of the workspace to activate it.", "您的 Slack 账号已停用，不能操作：请联系工作区管理员启用。"},
	workflow.Bot:           {"Bots cannot ask or decide: a person must.", "机器人不能申请或审批：请由本人操作。"},
	workflow.Guest:         {"Guests cannot ask or decide: ask a full member.", "访客不能申请或审批：请联系正式成员。"},
	workflow.LoneGuest:     {"Guests of a single channel cannot ask or decide: ask a full member.", "单频道访客不能申请或审批：请联系正式成员。"},
	workflow.Elsewhere:     {"You are a member of another workspace, so you cannot do this here: ask somebody of this one.", "您属于其他工作区，不能在此操作：请联系本工作区的成员。"},
	workflow.Stranger:      {"This workspace knows you only through a channel shared with another workspace, so you cannot do this here: ask a member.", "您只是通过与其他工作区共享的频道参与，不能在此操作：请联系本工作区的成员。"},
	workflow.Unverified:    {"Slack did not say who you are, or which groups you are in, so nothing was changed: try again in a moment.", "暂时无法向 Slack 核实您的身份或用户组，未做任何更改：请稍后重试。"},
	workflow.SharedChannel: {"The approvals channel %[1]s is shared with another organisation, so nothing is asked for or decided there: ask an operator to name another channel, or to allow it in `slack.shared_channels`.", "审批频道 %[1]s 已与其他组织共享，因此暂停申请和审批：请运维人员更换频道，或在 `slack.shared_channels` 中允许。"},
	workflow.NotTimed:      {"That request gave no membership that ends by itself, so there is nothing to extend: ask for the change anew, with `for`.", "该申请没有带期限的成员关系，无需延长：请用 `for` 重新申请。"},
	workflow.NoForm:        {"Slack did not open the form: press the button again.", "Slack 未能打开表单：请再点一次按钮。"},
	workflow.NotRecorded:   {"This could not be stored, so it is not recorded: try again in a moment, and tell an operator if it stays so.", "未能保存，申请没有登记：请稍后重试；如持续出现请联系运维人员。"},
	workflow.Mishap:        {"Something went wrong inside the bot, and what became of this is not certain: look at `mine` before you try again, and tell an operator.", "机器人内部出错，结果尚不确定：请先用 `mine` 查看再决定是否重试，并告知运维人员。"},
	workflow.Busy:          {"Too much is going on, so it is not recorded: try again in a moment.", "系统繁忙，未登记：请稍后重试。"},
}

// ownDecided takes the place of workflow.OwnRequest where a request can no longer be withdrawn.
var ownDecided = [languages]string{"You asked for this yourself, so somebody else must decide it: ask one of its approvers.", "这是您自己的申请，需由他人决定：请联系审批人。"}

// sayRefusal is the one place where a refusal becomes words: what is wrong, what to do, and, where the refusal is about
// a request, its present state. It never contains a "#" with a number: only what is recorded has one.
func (l Lang) sayRefusal(r *workflow.Refusal) string {
	lines := []string{l.sentence(r)}
	for _, more := range r.More {
		if s := l.sentence(more); s != lines[len(lines)-1] {
			lines = append(lines, s)
		}
	}
	if q := r.Request; q != nil && q.Number != 0 {
		lines[0] = l.join(lines[0], l.present(*q))
	}
	return strings.Join(lines, "\n")
}

func (l Lang) present(q workflow.Request) string {
	if l == Chinese {
		return "申请 " + q.Number.String() + " 当前状态：*" + l.state(q.State) + "*。"
	}
	return "Request " + q.Number.String() + " is *" + l.state(q.State) + "*."
}

func (l Lang) sentence(r *workflow.Refusal) string {
	text, ok := refusals[r.Kind]
	if !ok {
		text = refusals[workflow.NotRecorded]
	}
	if r.Kind == workflow.OwnRequest && r.Request != nil && r.Request.State != workflow.Pending {
		text = ownDecided
	}
	takes := 1 // the last argument that the sentence takes; those behind it are more of the same
	for strings.Contains(text[l], "%["+itoa(takes+1)+"]s") {
		takes++
	}
	var args []string
	for i, a := range r.Args {
		said := quoteArg(a)
		if r.Kind == workflow.BadMention && mention.MatchString(a) {
			said = a // Slack's own mention: the person is shown by name
		}
		switch {
		case i < takes:
			args = append(args, said)
		case takes > 1: // a list of what there is
			args[takes-1] += l.say("list.comma") + said
		}
	}
	for len(args) < takes {
		args = append(args, "")
	}
	return fill(text[l], args...)
}

// fill puts arguments into a phrase that need not use them all; they are never read as formats themselves.
func fill(phrase string, args ...string) string {
	var b strings.Builder
	for i, part := range strings.Split(phrase, "%[") {
		if i > 0 { // each but the first begins with an argument's number, as in 1]s
			b.WriteString(args[part[0]-'1'])
			part = part[len("1]s"):]
		}
		b.WriteString(part)
	}
	return b.String()
}

// quoteArg shows a typed word: cut, inert, and without a number sign.
func quoteArg(s string) string {
	s = strings.ReplaceAll(s, "#", "")
	if s == "" {
		return "“”"
	}
	return "*" + shown(s, 60) + "*"
}

// refusalOf turns any error of the engine into a refusal; what is no refusal was not recorded.
func refusalOf(err error) *workflow.Refusal {
	if ref, ok := errors.AsType[*workflow.Refusal](err); ok {
		return ref
	}
	if errors.Is(err, workflow.ErrBusy) {
		return workflow.Refuse(workflow.Busy)
	}
	return workflow.Refuse(workflow.NotRecorded)
}
