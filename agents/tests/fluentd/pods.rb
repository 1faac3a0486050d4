# Asks for pods: reads a list of {"required", "namespaces", "answers": {PATH: [ANSWER, ...]}, "asked": [[namespace, pod, uid, seconds], ...]}, in
# which an answer is an object, null for none, or a text for an error. Writes what is known of each pod, and the paths that the API
# server was asked for. The first argument is the directory of the scripts.

require 'json'

require File.join(ARGV.fetch(0), 'tributary_pods')

# Answers each path in turn; the last answer stays.
class Answers
  attr_reader :paths

  def initialize(answers)
    @answers = answers
    @paths = []
  end

  def get(path)
    @paths << path
    answers = @answers.fetch(path)
    answer = answers.size > 1 ? answers.shift : answers.first
    raise answer if answer.is_a?(String)

    answer
  end
end

# A clock that is set, and no waiting.
class Pods < Tributary::Pods
  attr_accessor :now

  def sleep(_seconds); end
end

log = Object.new
def log.warn(_message); end

results = JSON.parse($stdin.read).map do |one|
  answers = Answers.new(one['answers'])
  pods = Pods.new(answers, namespaces: one['namespaces'], required: one['required'], give_up: -> { false }, log: log)
  known = one['asked'].map do |namespace, pod, uid, seconds|
    pods.now = seconds
    pods.get(namespace, pod, uid).to_a
  end
  { 'known' => known, 'paths' => answers.paths }
end
puts JSON.generate(results)
