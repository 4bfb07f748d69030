package compshare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/ucloud/ucloud-sdk-go/ucloud/response"
)

// answer is what every action answers, with the rest kept as it came. It is a response.Common of the SDK.
type answer struct {
	response.CommonBase
	code     *number // RetCode; nil where it is missing
	errorMap json.RawMessage
	body     json.RawMessage
}

// UnmarshalJSON reads the part that all answers share.
func (a *answer) UnmarshalJSON(text []byte) error {
	var shared struct {
		Action   string
		RetCode  *number
		Message  any
		ErrorMap json.RawMessage
	}
	if err := json.Unmarshal(text, &shared); err != nil {
		return err
	}
	a.Action, a.code, a.errorMap, a.body = shared.Action, shared.RetCode, shared.ErrorMap, bytes.Clone(text)
	switch m := shared.Message.(type) {
	case nil:
	case string:
		a.Message = m
	default:
		a.Message = fmt.Sprint(m)
	}
	return nil
}

// GetRetCode is the RetCode, -1 where there is none: the SDK takes a missing one for success.
func (a *answer) GetRetCode() int {
	if a.code == nil {
		return -1
	}
	return int(*a.code)
}

// number is a number that the vendor also writes as text.
type number int64

// UnmarshalJSON reads 42 and "42".
func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	if unquoted, err := strconv.Unquote(string(text)); err == nil {
		text = []byte(unquoted)
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return errors.New("not a whole number")
	}
	*n = number(v)
	return nil
}

// id is a number of 32 bits, or 0 where it is none: cut off, it would be somebody else's.
func (n number) id() uint32 {
	if n < 0 || n > math.MaxUint32 {
		return 0
	}
	return uint32(n)
}

// entry is one company's refusal in ErrorMap.
type entry struct {
	Code    number
	Message string
}

// errNoMap is an ErrorMap that is neither empty nor an object of entries.
var errNoMap = errors.New("its ErrorMap cannot be read")

// refusals are the entries of ErrorMap, by company. The documents have an object, the SDK a text; an object in a text
// is taken too.
func (a *answer) refusals() (map[string]entry, error) {
	text := bytes.TrimSpace(a.errorMap)
	var inner string
	if json.Unmarshal(text, &inner) == nil {
		text = []byte(inner)
	}
	switch string(text) {
	case "", "null", "{}", "[]":
		return nil, nil
	}
	var entries map[string]entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, errNoMap
	}
	return entries, nil
}
