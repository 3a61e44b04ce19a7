def handler(event:, context:)
  puts "#{context.function_name} got #{event}"
  { message: "#{ENV.fetch('GREETING', 'Hello')}, #{event.fetch('name', 'world')}" }
end
