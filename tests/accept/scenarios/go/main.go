// What scenarios.test.js asks of every language, of a program in Go as provided.al2023 and go1.x run it.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type Custom struct{ message string }

func (c *Custom) Error() string {
	return c.message
}

type event struct {
	Do    string
	Value json.RawMessage
}

func (e *event) text() (text string) {
	json.Unmarshal(e.Value, &text)
	return text
}

func (e *event) number() (number float64) {
	json.Unmarshal(e.Value, &number)
	return number
}

func sleep(seconds float64) {
	time.Sleep(time.Duration(seconds * float64(time.Second)))
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func tell(one *invocation) any {
	memory, _ := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	return map[string]any{"id": one.id, "name": os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), "version": os.Getenv("AWS_LAMBDA_FUNCTION_VERSION"),
		"arn": one.arn, "memory": memory, "group": os.Getenv("AWS_LAMBDA_LOG_GROUP_NAME"), "stream": os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME"),
		"remaining": one.remaining(), "client": one.client.Custom, "identity": orNull(one.identity.CognitoIdentityId)}
}

func environment(list json.RawMessage) any {
	var names []string
	json.Unmarshal(list, &names)
	found := map[string]any{}
	for _, name := range names {
		if value, there := os.LookupEnv(name); there {
			found[name] = value
		} else {
			found[name] = nil
		}
	}
	return found
}

func remaining(one *invocation, seconds float64) any {
	earlier := one.remaining()
	sleep(seconds)
	return []int64{earlier, one.remaining()}
}

func levels(message string) {
	for _, level := range []string{"debug", "info", "warn", "error"} {
		line, _ := encode(map[string]string{"timestamp": time.Now().UTC().Format(time.RFC3339), "level": strings.ToUpper(level),
			"message": message + " " + level})
		fmt.Printf("%s\n", line)
	}
}

func exhaust() {
	for kept := [][]byte{}; ; {
		block := make([]byte, 10000000)
		for i := range block {
			block[i] = 'x'
		}
		kept = append(kept, block)
	}
}

func handle(one *invocation, body []byte) (any, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	switch e.Do {
	case "echo":
		return e.Value, nil
	case "context":
		return tell(one), nil
	case "environment":
		return environment(e.Value), nil
	case "remaining":
		return remaining(one, e.number()), nil
	case "trace":
		return os.Getenv("_X_AMZN_TRACE_ID"), nil
	case "layer":
		word, err := os.ReadFile("/opt/lib/word")
		return strings.TrimSpace(string(word)), err
	case "error":
		return nil, errors.New(e.text())
	case "custom":
		return nil, &Custom{e.text()}
	case "sleep":
		sleep(e.number())
	case "exit":
		os.Exit(int(e.number()))
	case "memory":
		exhaust()
	case "big":
		return strings.Repeat("x", int(e.number())), nil
	case "binary":
		bytes, err := base64.StdEncoding.DecodeString(e.text())
		return fmt.Sprintf("%x", sha256.Sum256(bytes)), err
	case "print", "log":
		fmt.Println(e.text())
	case "levels":
		levels(e.text())
	}
	return nil, nil
}

func main() {
	serve(handle)
}
