package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"time"
)

// A client of the Runtime API that talks to it as AWS's library for Go does: results and errors are chunked, with both error
// trailers announced; no type of an error goes into a header; the variable of the trace header is set for each invocation; an
// answer but the expected one, and a panic, end the process.

const base = "/2018-06-01/runtime"

type invocation struct {
	id       string
	arn      string
	deadline time.Time
	client   struct{ Custom json.RawMessage }
	identity struct{ CognitoIdentityId string }
}

func (i *invocation) remaining() int64 {
	return time.Until(i.deadline).Milliseconds()
}

type document struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

func documentOf(err error) document {
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Ptr {
		kind = kind.Elem()
	}
	return document{err.Error(), kind.Name()}
}

type api struct{ url string }

func (a api) send(method, path, contentType string, body io.Reader, expected int) *http.Response {
	request, err := http.NewRequest(method, a.url+path, body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("User-Agent", "aws-lambda-go/"+runtime.Version())
	if body != nil {
		request.Header.Set("Content-Type", contentType)
		request.ContentLength = -1 // chunked
		request.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode != expected {
		log.Fatalf("%s %s: %d", method, path, answer.StatusCode)
	}
	return answer
}

func (a api) post(path, contentType string, body []byte) {
	// a type that http.NewRequest does not know, or it would tell the length
	answer := a.send("POST", path, contentType, struct{ io.Reader }{bytes.NewReader(body)}, http.StatusAccepted)
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

func (a api) fail(path string, err error) {
	body, _ := json.Marshal(documentOf(err))
	log.Printf("%s", body)
	a.post(path, "application/json", body)
}

func (a api) next() (*invocation, []byte) {
	answer := a.send("GET", "/invocation/next", "", nil, http.StatusOK)
	event, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		log.Fatal(err)
	}
	head := answer.Header
	deadline, _ := strconv.ParseInt(head.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	one := &invocation{id: head.Get("Lambda-Runtime-Aws-Request-Id"), arn: head.Get("Lambda-Runtime-Invoked-Function-Arn"),
		deadline: time.UnixMilli(deadline)}
	if text := head.Get("Lambda-Runtime-Client-Context"); text != "" {
		json.Unmarshal([]byte(text), &one.client)
	}
	if text := head.Get("Lambda-Runtime-Cognito-Identity"); text != "" {
		json.Unmarshal([]byte(text), &one.identity)
	}
	os.Setenv("_X_AMZN_TRACE_ID", head.Get("Lambda-Runtime-Trace-Id"))
	return one, event
}

func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

func serve(handler func(*invocation, []byte) (any, error)) {
	a := api{fmt.Sprintf("http://%s%s", os.Getenv("AWS_LAMBDA_RUNTIME_API"), base)}
	if os.Getenv("_HANDLER") == "init" {
		a.fail("/init/error", fmt.Errorf("at init"))
		os.Exit(1)
	}
	for {
		one, event := a.next()
		result, err := handler(one, event)
		body, bad := encode(result)
		if err == nil {
			err = bad
		}
		if err != nil {
			a.fail("/invocation/"+one.id+"/error", err)
		} else {
			a.post("/invocation/"+one.id+"/response", "application/octet-stream", body)
		}
	}
}
