package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import java.util.Map;

/** Stand-ins for classes of AWS's library of events: as there, one has setters, one has nothing but a constructor. */
public class Events {
    public static class SQSEvent {
        private List<SQSMessage> records;

        public List<SQSMessage> getRecords() {
            return records;
        }

        public void setRecords(List<SQSMessage> records) {
            this.records = records;
        }
    }

    public static class SQSMessage {
        private String body;
        private String eventSourceArn;
        private Map<String, String> attributes;

        public String getBody() {
            return body;
        }

        public void setBody(String body) {
            this.body = body;
        }

        public void setEventSourceArn(String arn) {
            eventSourceArn = arn;
        }

        public void setAttributes(Map<String, String> attributes) {
            this.attributes = attributes;
        }

        @Override
        public String toString() {
            return body + "|" + eventSourceArn + "|" + attributes;
        }
    }

    public static class Scheduled {
        private final String detailType;

        public Scheduled(String detailType) {
            this.detailType = detailType;
        }
    }

    public static String sqs(SQSEvent event) {
        return event.getRecords().toString();
    }

    public static String scheduled(Scheduled event) {
        return event.detailType;
    }
}
