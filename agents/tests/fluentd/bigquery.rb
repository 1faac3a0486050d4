# Runs the output for BigQuery against a server of its own on this machine, which plays the API, Google's tokens and the metadata server.
# The first argument is the directory of the scripts. Reads {"key": WHETHER, "answers": [[STATUS, OBJECT], ...], "tokens": [SECONDS, ...],
# "chunks": [[ID, [record, ...]], ...]}: what insertAll answers, one after the other and then that all is well; how long each token is
# good; and what is written. Writes what was asked of the server, what became of each chunk, and what was logged.

require 'json'
require 'openssl'
require 'socket'
require 'tmpdir'
require 'uri'

require_relative 'fluentd'

# Answers as it is told.
class Google
  attr_reader :inserts, :tokens, :address

  def initialize(answers, lifetimes, public_key)
    @answers = answers
    @lifetimes = lifetimes
    @public_key = public_key
    @inserts = []
    @tokens = []
    @server = TCPServer.new('127.0.0.1', 0)
    @address = "http://127.0.0.1:#{@server.addr[1]}"
    Thread.new { loop { Thread.new(@server.accept) { |socket| serve(socket) } } }
  end

  private

  def serve(socket)
    while (line = socket.gets)
      _method, path, = line.split
      headers = {}
      while (header = socket.gets.chomp) != ''
        name, value = header.split(': ', 2)
        headers[name.downcase] = value
      end
      respond(socket, *answer(path, headers, socket.read(headers['content-length'].to_i)))
    end
  ensure
    socket.close
  end

  def respond(socket, status, object)
    text = object.is_a?(String) ? object : JSON.generate(object)
    socket.write("HTTP/1.1 #{status} Status\r\nContent-Length: #{text.bytesize}\r\n\r\n#{text}")
  end

  def answer(path, headers, body)
    return insert(path, headers, body) if path.end_with?('/insertAll')

    @tokens << (path.include?('/computeMetadata/') ? { 'path' => path, 'flavor' => headers['metadata-flavor'] } : claim(body))
    [200, { 'access_token' => "token-#{@tokens.size}", 'expires_in' => @lifetimes.shift || 3600, 'token_type' => 'Bearer' }]
  end

  def insert(path, headers, body)
    @inserts << { 'path' => path, 'authorization' => headers['authorization'], 'body' => JSON.parse(body) }
    @answers.shift || [200, { 'kind' => 'bigquery#tableDataInsertAllResponse' }]
  end

  # What a JSON Web Token says, and whether its signature is that of the key.
  def claim(body)
    form = URI.decode_www_form(body).to_h
    signed, _, signature = form['assertion'].rpartition('.')
    header, claims = signed.split('.').map { |part| JSON.parse(decoded(part)) }
    verified = @public_key.verify('SHA256', decoded(signature), signed)
    { 'grant' => form['grant_type'], 'header' => header, 'claims' => claims, 'verified' => verified }
  end

  def decoded(text)
    text.tr('-_', '+/').unpack1('m')
  end
end

Chunk = Struct.new(:unique_id, :read)
# A chunk that is refused so often will be refused always.
TRIES = 3

# Each failure, and at last that it is done.
def write(output, chunk)
  TRIES.times.with_object([]) do |_, results|
    output.write(chunk)
    break results << 'done'
  rescue StandardError => e
    results << e.message
  end
end

require_any File.join(ARGV.fetch(0), 'out_tributary_bigquery')
input = JSON.parse($stdin.read)
key = OpenSSL::PKey::RSA.new(2048) if input['key']
google = Google.new(input['answers'], input['tokens'] || [], key&.public_key)
Dir.mktmpdir do |directory|
  if key
    key_file = File.join(directory, 'key.json')
    account = { 'client_email' => 'agent@my-project.example', 'private_key_id' => '7', 'private_key' => key.to_pem, 'token_uri' => "#{google.address}/token" }
    File.write(key_file, input.fetch('key_text', JSON.generate(account)))
  end
  output = Fluent::Plugin::TributaryBigQueryOutput.new
  output.configure(
    project: 'my-project', dataset: 'logs', table: 'apps', api: google.address, metadata_server: google.address, key_file: key_file
  )
  results = input['chunks'].map do |id, records|
    write(output, Chunk.new(id, records.map { |record| output.format('', 0, record) }.join.b))
  end
  output.close
  puts JSON.generate('inserts' => google.inserts, 'tokens' => google.tokens, 'results' => results, 'said' => output.log.said)
end
