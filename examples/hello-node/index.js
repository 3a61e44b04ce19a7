exports.handler = async (event, context) => {
  const name = event.name || 'world';
  console.log(`saying hello to ${name}`);
  return { message: `${process.env.GREETING || 'Hello'}, ${name}!`, request: context.awsRequestId };
};
