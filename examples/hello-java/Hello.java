package hello;

/**
 * Greets whoever is named in the event. A method needs nothing of AWS; with com.amazonaws:aws-lambda-java-core in the project, the class
 * may implement RequestHandler, or the method take a Context as well.
 */
public class Hello {
    public static class Event {
        public String name = "world";
    }

    public static class Answer {
        public final String message;

        Answer(String message) {
            this.message = message;
        }
    }

    public Answer greet(Event event) {
        String greeting = System.getenv("GREETING");
        System.out.println("saying hello to " + event.name);
        return new Answer((greeting == null ? "Hello" : greeting) + ", " + event.name + "!");
    }
}
