package lambkin;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.List;

/**
 * Dates and times. As numbers where Jackson writes numbers: milliseconds for java.util.Date, seconds with nine decimals for an
 * Instant, lists for local dates and times; read from these and from ISO 8601.
 */
final class Times {
    private Times() {
    }

    /** 2026-01-02T03:04:05.678Z, without what DateTimeFormatter takes to start. */
    static String stamp(long ms) {
        String text = Instant.ofEpochMilli(ms).toString();
        if (text.length() == 24) return text;
        return text.substring(0, 19) + ".000Z"; // it leaves zeros out
    }

    static boolean isTime(Class<?> raw) {
        return raw.getName().startsWith("java.time.") || Date.class.isAssignableFrom(raw) || Calendar.class.isAssignableFrom(raw) || isJoda(raw);
    }

    /** Of AWS's library of events, in the function's package. */
    private static boolean isJoda(Class<?> raw) {
        return raw.getName().equals("org.joda.time.DateTime");
    }

    static final class Reader extends Decoder {
        private final Class<?> raw;

        Reader(Class<?> raw) {
            this.raw = raw;
        }

        @Override
        boolean unwraps() {
            return false;
        }

        @Override
        Object read(JsonReader in) throws Throwable {
            if (in.isNumber()) return ofNumber(JsonReader.decimal(in.number()));
            if (in.peek() == '[') return ofList((List<?>) in.any());
            String text = in.string().trim();
            return text.isEmpty() ? null : parse(text);
        }

        private Object ofNumber(BigDecimal number) throws Throwable {
            if (Date.class.isAssignableFrom(raw) || Calendar.class.isAssignableFrom(raw)) return date(number.longValue());
            if (raw == Year.class) return Year.of(number.intValueExact());
            if (raw == LocalDate.class) return LocalDate.ofEpochDay(number.longValue());
            if (isJoda(raw)) return parse(Instant.ofEpochMilli(number.longValue()).toString());
            long seconds = number.setScale(0, RoundingMode.FLOOR).longValueExact();
            long nanos = number.subtract(BigDecimal.valueOf(seconds)).movePointRight(9).longValue();
            if (raw == Duration.class) return Duration.ofSeconds(seconds, nanos);
            Instant instant = Instant.ofEpochSecond(seconds, nanos);
            if (raw == Instant.class) return instant;
            if (raw == OffsetDateTime.class) return instant.atOffset(ZoneOffset.UTC);
            if (raw == ZonedDateTime.class) return instant.atZone(ZoneId.of("UTC"));
            throw new IllegalArgumentException("Cannot deserialize value of type `" + raw.getName() + "` from a number");
        }

        private Object ofList(List<?> parts) {
            int[] n = new int[7];
            if (parts.size() > n.length) throw new IllegalArgumentException("too many parts of a time");
            for (int i = 0; i < parts.size(); i++) n[i] = ((Number) parts.get(i)).intValue();
            if (raw == LocalDate.class) return LocalDate.of(n[0], n[1], n[2]);
            if (raw == LocalTime.class) return LocalTime.of(n[0], n[1], n[2], n[3]);
            if (raw == LocalDateTime.class) return LocalDateTime.of(n[0], n[1], n[2], n[3], n[4], n[5], n[6]);
            if (raw == YearMonth.class) return YearMonth.of(n[0], n[1]);
            throw new IllegalArgumentException("Cannot deserialize value of type `" + raw.getName() + "` from an array");
        }

        private Object parse(String text) throws Throwable {
            if (Date.class.isAssignableFrom(raw) || Calendar.class.isAssignableFrom(raw)) return date(millis(text));
            if (raw == Instant.class) return text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant();
            if (raw == OffsetDateTime.class) return OffsetDateTime.parse(text).withOffsetSameInstant(ZoneOffset.UTC);
            if (raw == ZonedDateTime.class) return ZonedDateTime.parse(text).withZoneSameInstant(ZoneId.of("UTC"));
            if (raw == LocalDateTime.class && text.endsWith("Z")) return LocalDateTime.parse(text.substring(0, text.length() - 1));
            if (raw == LocalDate.class && text.indexOf('T') > 0) return LocalDate.parse(text.substring(0, text.indexOf('T')));
            return byItself(text);
        }

        /** Duration.parse, LocalTime.parse, ZoneId.of and so on. */
        private Object byItself(String text) throws Throwable {
            boolean parses = raw != ZoneId.class && raw != ZoneOffset.class;
            Class<?> type = raw != ZoneId.class && ZoneId.class.isAssignableFrom(raw) ? ZoneOffset.class : raw;
            Method method = raw.isEnum() || !parses ? type.getMethod(raw.isEnum() ? "valueOf" : "of", String.class) : textual(type);
            try {
                return method.invoke(null, text);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        private static Method textual(Class<?> type) throws NoSuchMethodException {
            try {
                return type.getMethod("parse", CharSequence.class);
            } catch (NoSuchMethodException e) {
                return type.getMethod("parse", String.class); // Joda's
            }
        }

        private Object date(long ms) throws Throwable {
            if (raw == Date.class) return new Date(ms);
            if (Calendar.class.isAssignableFrom(raw)) {
                GregorianCalendar calendar = new GregorianCalendar(java.util.TimeZone.getTimeZone("UTC"));
                calendar.setTimeInMillis(ms);
                return calendar;
            }
            return raw.getConstructor(long.class).newInstance(ms); // java.sql's
        }

        /** A day alone, +0100 for +01:00, and no zone at all are also taken. */
        private static long millis(String text) {
            if (text.indexOf('T') < 0 && text.indexOf(',') > 0) return Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(text)).toEpochMilli();
            if (RuntimeApi.number(text, Long.MAX_VALUE) >= 0 && text.length() > 4) return Long.parseLong(text);
            if (text.indexOf('T') < 0 && text.indexOf(' ') < 0) return LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC).toEpochMilli();
            String time = text.replace(' ', 'T');
            int n = time.length();
            char sign = n > 5 ? time.charAt(n - 5) : ' ';
            if (sign == '+' || sign == '-') time = time.substring(0, n - 2) + ":" + time.substring(n - 2);
            boolean zoned = time.endsWith("Z") || time.lastIndexOf('+') > 10 || time.lastIndexOf('-') > 10;
            return OffsetDateTime.parse(zoned ? time : time + "Z").toInstant().toEpochMilli();
        }
    }

    static void write(Object time, JsonWriter out) {
        if (time instanceof Date) out.plain(String.valueOf(((Date) time).getTime()));
        else if (time instanceof Calendar) out.plain(String.valueOf(((Calendar) time).getTimeInMillis()));
        else if (time instanceof Instant) seconds((Instant) time, out);
        else if (time instanceof OffsetDateTime) seconds(((OffsetDateTime) time).toInstant(), out);
        else if (time instanceof ZonedDateTime) seconds(((ZonedDateTime) time).toInstant(), out);
        else if (time instanceof Duration) seconds(((Duration) time).getSeconds(), ((Duration) time).getNano(), out);
        else if (time instanceof Year) out.plain(time.toString());
        else if (time instanceof YearMonth) list(out, ((YearMonth) time).getYear(), ((YearMonth) time).getMonthValue());
        else if (time instanceof LocalDate) list(out, day((LocalDate) time));
        else if (time instanceof LocalTime) list(out, clock((LocalTime) time));
        else if (time instanceof LocalDateTime) both((LocalDateTime) time, out);
        else out.string(time.toString());
    }

    private static void seconds(Instant instant, JsonWriter out) {
        seconds(instant.getEpochSecond(), instant.getNano(), out);
    }

    private static void seconds(long seconds, int nanos, JsonWriter out) {
        out.plain(BigDecimal.valueOf(seconds).add(BigDecimal.valueOf(nanos, 9)).toPlainString());
    }

    private static int[] day(LocalDate date) {
        return new int[] {date.getYear(), date.getMonthValue(), date.getDayOfMonth()};
    }

    /** Seconds and nanoseconds of zero are left out. */
    private static int[] clock(LocalTime time) {
        int[] all = {time.getHour(), time.getMinute(), time.getSecond(), time.getNano()};
        int n = all[3] != 0 ? 4 : all[2] != 0 ? 3 : 2;
        return java.util.Arrays.copyOf(all, n);
    }

    private static void both(LocalDateTime time, JsonWriter out) {
        int[] clock = clock(time.toLocalTime());
        int[] all = java.util.Arrays.copyOf(day(time.toLocalDate()), 3 + clock.length);
        System.arraycopy(clock, 0, all, 3, clock.length);
        list(out, all);
    }

    private static void list(JsonWriter out, int... numbers) {
        out.open('[');
        for (int number : numbers) out.plain(String.valueOf(number));
        out.close(']');
    }
}
